// IndexedWrites: a history of writes of which any prefix is known again.
//
// Write i (from 1) sets the marker key to i, together with a few other keys or alone, so that what
// a crash left says itself which prefix it is, and the whole can be compared with the model there.
#ifndef CAMBIUM_TESTS_SUPPORT_INDEXED_WRITES_H_
#define CAMBIUM_TESTS_SUPPORT_INDEXED_WRITES_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "cambium/db.h"
#include "tests/support/model.h"

namespace cambium::test {

inline constexpr std::string_view kMarkerKey = "!marker";

// A function of its seed. Confined to one thread.
class IndexedWrites {
 public:
  IndexedWrites(uint64_t seed, int keys, size_t max_value);

  // Carries out the next write; the outcome is the database's.
  absl::Status WriteNext(DB* db, const WriteOptions& options);
  // Writes begun so far.
  uint64_t issued() const { return edits_.size(); }

  // The content after the first `prefix` writes, at most issued(). Cheap where `prefix` seldom goes
  // back.
  const Model& At(uint64_t prefix);

 private:
  std::vector<Edit> Draw(uint64_t index);

  const int keys_;
  const size_t max_value_;
  std::mt19937_64 random_;
  std::vector<std::vector<Edit>> edits_;
  Model model_;  // after model_prefix_ writes
  Model base_;   // after base_prefix_ writes: where going back starts
  uint64_t model_prefix_ = 0;
  uint64_t base_prefix_ = 0;
};

// The prefix that a database holds, from its marker: 0 where there is none.
absl::StatusOr<uint64_t> PrefixOf(DB* db);

// Files in the database's directory that an open database at rest does not need: tables in no
// level, temporaries, a second manifest. Empty where there are none.
std::string OrphansOf(const DB& db, FileSystem* files, const std::string& path);

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_INDEXED_WRITES_H_
