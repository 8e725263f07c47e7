// The model: an ordered map that follows the database, a seeded stream of operations on both, and
// the comparison of everything that a reader can see.
//
// A stream is a function of its seed and shape, so a failure can be repeated from the two numbers
// that it prints.
#ifndef CAMBIUM_TESTS_SUPPORT_MODEL_H_
#define CAMBIUM_TESTS_SUPPORT_MODEL_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/db.h"

namespace cambium::test {

// A comparator as the order of a std::map. Immutable after construction.
struct KeyLess {
  using is_transparent = void;
  const Comparator* comparator = BytewiseComparator();
  bool operator()(std::string_view a, std::string_view b) const {
    return comparator->Compare(a, b) < 0;
  }
};

using Model = std::map<std::string, std::string, KeyLess>;

// The keys that an edit changes.
enum class Span {
  kKey,
  kRange,  // from the key to `end`
  kFrom,   // from the key to the end
  kAll,
};

// One change; a deletion if there is no value, and always if it changes more than its key.
struct Edit {
  std::string key;
  std::optional<std::string> value;
  std::optional<std::chrono::milliseconds> ttl = std::nullopt;  // of the value; see StreamShape
  Span span = Span::kKey;
  std::string end = {};
};

void Apply(const std::vector<Edit>& edits, Model* model);
WriteBatch BatchOf(const std::vector<Edit>& edits);

enum class OperationKind {
  kPut,
  kDelete,
  kBatch,
  kGet,
  kMultiGet,
  kWalk,     // an iterator that seeks and changes direction
  kHold,     // takes a snapshot and an iterator and keeps them
  kRelease,  // releases the oldest snapshot
  kRunJob,   // runs a task of the inline executor
  kFlush,
  kCompactRange,
  kCompareAll,
  kReopen,
  kPutIfAbsent,
  kCompareAndSet,  // of a value that is the current one in half of the cases
  kGetAndDelete,
  kUpdate,  // appends to the value, or deletes it
  kDeleteRange,
  kDeleteFrom,
  kClear,
  kMerge,
  kJump,  // of the wall time
};
inline constexpr size_t kOperationKinds = 22;

struct Operation {
  OperationKind kind = OperationKind::kPut;
  std::vector<Edit> edits;               // writes
  bool sync = false;                     // writes
  std::vector<std::string> keys;         // reads; for an iteration: its seek targets, in order
  std::optional<std::string> low, high;  // iterations and compactions
  uint64_t draw = 0;                     // selects a held snapshot; the steps of an iteration

  // Returns one line.
  std::string ToString() const;
};

// The properties of a stream.
struct StreamShape {
  int keys = 700;            // number of different keys
  size_t long_key = 0;       // size of some keys; 0: none
  size_t max_value = 160;    // bytes
  size_t large_value = 0;    // size of one value in a hundred; 0: none
  int batch_max = 12;        // edits in a batch
  double sync_part = 0.002;  // fraction of the writes
  int64_t max_ttl = 0;       // half of the puts have a TTL of up to so many milliseconds; 0: none
  // How many of 10,000 operations are of each kind, in the order of OperationKind.
  std::vector<double> weights = {4000, 1000, 300, 2000, 400, 1500, 30, 28, 200, 10, 6,
                                 16,   10,   100, 200,  100, 100,  60, 4,  2,   0,  0};
};

// Confined to one thread.
class OperationStream {
 public:
  OperationStream(uint64_t seed, const StreamShape& shape);

  Operation Next();
  // Returns a random key of the stream.
  std::string DrawKey();

 private:
  Edit DrawPut();
  Edit DrawRange();
  std::string DrawValue();
  uint64_t Draw(uint64_t bound) { return random_() % bound; }

  const StreamShape shape_;
  std::mt19937_64 random_;
  std::discrete_distribution<int> kinds_;
  uint64_t values_ = 0;
};

// Executes a conditional write on both, and sets `*applied` to what it wrote. Returns the
// difference between their results; empty if there is none.
std::string ConditionalDifference(DB* db, const Operation& operation, const WriteOptions& options,
                                  Model* model, std::optional<Edit>* applied);

// Returns the first difference between the database, read with `options`, and `expected`, within
// the bounds of `options`; empty if there is none. Iterates forward and backward, and gets every
// key of the model individually and together.
std::string Difference(DB* db, const Model& expected, const ReadOptions& options = {});

// Returns the difference between an iterator and the part of `expected` in [low, high): seeks to
// each key of `walk.keys` and makes a few steps forward and back. Empty if there is none.
std::string WalkDifference(Iterator* it, const Model& expected, const Operation& walk);

// Returns a number from the environment, or `otherwise`.
uint64_t FromEnvironment(const char* name, uint64_t otherwise);

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_MODEL_H_
