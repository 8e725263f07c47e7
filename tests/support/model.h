// The oracle: an ordered map beside the database, a seeded stream of operations on both, and the
// comparison of all that a reader can see.
//
// A stream is a function of its seed and shape, so that a failure is repeated from the two numbers
// that it prints.
#ifndef CAMBIUM_TESTS_SUPPORT_MODEL_H_
#define CAMBIUM_TESTS_SUPPORT_MODEL_H_

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

// One change; no value: a deletion.
struct Edit {
  std::string key;
  std::optional<std::string> value;
};

void Apply(const std::vector<Edit>& edits, Model* model);
WriteBatch BatchOf(const std::vector<Edit>& edits);

enum class OperationKind {
  kPut,
  kDelete,
  kBatch,
  kGet,
  kMultiGet,
  kWalk,     // an iterator that seeks and turns
  kHold,     // takes a snapshot and an iterator and keeps them
  kRelease,  // lets go of the oldest
  kRunJob,   // lends the inline executor a thread
  kFlush,
  kCompactRange,
  kCompareAll,
  kReopen,
};
inline constexpr size_t kOperationKinds = 13;

struct Operation {
  OperationKind kind = OperationKind::kPut;
  std::vector<Edit> edits;               // writes
  bool sync = false;                     // writes
  std::vector<std::string> keys;         // reads; of a walk: where it seeks, in turn
  std::optional<std::string> low, high;  // walks and compactions
  uint64_t draw = 0;                     // which of the held snapshots; how a walk turns

  // One line.
  std::string ToString() const;
};

// What a stream is made of.
struct StreamShape {
  int keys = 700;            // different keys
  size_t long_key = 0;       // some keys are that long; 0: none
  size_t max_value = 160;    // bytes
  size_t large_value = 0;    // one value in a hundred is that long; 0: none
  int batch_max = 12;        // edits in a batch
  double sync_part = 0.002;  // of the writes
  // Of 10,000 operations, how many are of each kind, in the order of OperationKind.
  std::vector<double> weights = {4000, 1000, 300, 2500, 400, 1500, 30, 28, 200, 10, 6, 16, 10};
};

// Confined to one thread.
class OperationStream {
 public:
  OperationStream(uint64_t seed, const StreamShape& shape);

  Operation Next();
  // A key of the stream's universe.
  std::string DrawKey();

 private:
  Edit DrawPut();
  std::string DrawValue();
  uint64_t Draw(uint64_t bound) { return random_() % bound; }

  const StreamShape shape_;
  std::mt19937_64 random_;
  std::discrete_distribution<int> kinds_;
  uint64_t values_ = 0;
};

// The first thing in which the database, read with `options`, differs from `expected`, inside the
// bounds of `options`; empty where nothing does. Walks forward and backward, and gets every key of
// the model one by one and together.
std::string Difference(DB* db, const Model& expected, const ReadOptions& options = {});

// What differs between an iterator and the part of `expected` in [low, high): seeks to each key of
// `walk.keys` and takes a few steps forward and back. Empty where nothing does.
std::string WalkDifference(Iterator* it, const Model& expected, const Operation& walk);

// A number from the environment, or `otherwise`.
uint64_t FromEnvironment(const char* name, uint64_t otherwise);

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_MODEL_H_
