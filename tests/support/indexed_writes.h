// IndexedWrites: a history of writes whose prefixes can be recognized.
//
// Write i (from 1) sets the marker key to i, together with a few other keys or alone. Therefore the
// data after a crash contains the length of its prefix, and all of it can be compared with the
// model at that point.
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

  // Executes the next write; returns the database's status.
  absl::Status WriteNext(DB* db, const WriteOptions& options);
  // Returns the number of writes begun so far.
  uint64_t issued() const { return edits_.size(); }

  // Returns the content after the first `prefix` writes, at most issued(). Fast if `prefix` rarely
  // decreases.
  const Model& At(uint64_t prefix);

 private:
  std::vector<Edit> Draw(uint64_t index);

  const int keys_;
  const size_t max_value_;
  std::mt19937_64 random_;
  std::vector<std::vector<Edit>> edits_;
  Model model_;  // after model_prefix_ writes
  Model base_;   // after base_prefix_ writes: the start for smaller prefixes
  uint64_t model_prefix_ = 0;
  uint64_t base_prefix_ = 0;
};

// Returns the length of the prefix in a database, from its marker: 0 if there is none.
absl::StatusOr<uint64_t> PrefixOf(DB* db);

// Returns the files in the database's directory that an idle open database does not need: tables in
// no level, temporaries, a second manifest. Empty if there are none.
std::string OrphansOf(const DB& db, FileSystem* files, const std::string& path);

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_INDEXED_WRITES_H_
