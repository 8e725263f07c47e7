#include "engine/read/db_iterator.h"

#include <cassert>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "base/key_fold.h"
#include "util/coding.h"
#include "util/out_of_memory.h"
#include "util/process.h"

namespace cambium::engine {
namespace {

using State = KeyFold::State;

// Positions before every version of a key, and after every version (except one with trailer 0,
// which is a valid version).
constexpr Trailer kNewestTrailer = UINT64_MAX;
constexpr Trailer kOldestTrailer = 0;

// Steps over this many versions of one key before it seeks past the rest: a seek costs about as
// much.
constexpr int kMaxSteps = 8;

// Adjacent keys often have the same length and differ at the end, which is compared first.
inline bool SameBytes(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() < sizeof(uint64_t)) return a == b;
  const size_t tail = a.size() - sizeof(uint64_t);
  if (LoadFixed64(a.data() + tail) != LoadFixed64(b.data() + tail)) return false;
  return std::memcmp(a.data(), b.data(), tail) == 0;
}

// Confined to one thread at a time.
class DBIterator final : public Iterator {
 public:
  explicit DBIterator(DBIteratorArgs args)
      : args_(std::move(args)),
        identical_(args_.order.comparator_identical()),
        fold_(args_.sequence, args_.merge_operator,
              args_.time.has_value() ? &*args_.time : nullptr),
        lower_abbreviated_(
            args_.lower_bound.has_value() ? args_.order.Abbreviate(*args_.lower_bound) : 0),
        upper_abbreviated_(
            args_.upper_bound.has_value() ? args_.order.Abbreviate(*args_.upper_bound) : 0) {}
  ~DBIterator() override {
    if (args_.open != nullptr && args_.open->forked()) Abandon(std::move(args_));
  }

  bool Valid() const override { return valid_; }
  std::string_view key() const override {
    assert(valid_);
    return key_;
  }
  std::string_view value() const override {
    assert(valid_);
    return value_;
  }
  absl::Status status() const override { return status_; }

  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view target) override;
  void SeekForPrev(std::string_view target) override;
  void Next() override;
  void Prev() override;

 private:
  // The state after the last move.
  enum class Direction : uint8_t {
    kForward,        // the input is at the current entry
    kForwardMerged,  // the value was merged: the input is at its last entry or after it
    kBackward,       // the input is before the versions of saved_key_, the current key
  };

  InternalIterator* input() const { return args_.input.get(); }
  Trailer seek_trailer() const { return SeekTrailer(args_.sequence); }

  // Returns true, and ends the iteration, if the database no longer accepts calls.
  bool Refused() {
    if (args_.open == nullptr) return false;
    absl::Status open = args_.open->Check();
    if (open.ok()) [[likely]]
      return false;
    End(std::move(open));
    return true;
  }
  template <typename Body>
  void EndIfOutOfMemory(Body body) {
    if (!IfMemoryAllows(body)) [[unlikely]]
      End(OutOfMemory());
  }
  void Start(Direction direction);
  // Finds the first visible key at or after the input's entry, which is the first visible version
  // of its key.
  void FindForward();
  // Steps fold_ over the older versions of saved_key_ until it is decided or none is left.
  void FoldOlder();
  // Sets the value to the merged operands of saved_key_. Forward, the input is then after the
  // deciding version.
  void ShowMerged();
  // Moves the input past the versions of saved_key_, if it is at one of them.
  void PassForward();
  void PassBackward();
  // Finds the last visible key at or before the input's key, at whose oldest version the input is.
  void FindBackward();
  // Folds saved_key_ into fold_, from its oldest version, at which the input is; the input is then
  // before all its versions.
  void FoldBackward();
  void FoldBySeek();

  bool StandsOnSaved() const { return input()->Valid() && SameAsSaved(input()->key()); }
  bool SameAsSaved(std::string_view other) const {
    if (identical_) [[likely]]
      return SameBytes(saved_key_, other);
    return args_.order.Compare(saved_key_, other) == 0;
  }
  // Abbreviated keys decide for most keys.
  bool BelowLower(std::string_view at) const {
    if (!args_.lower_bound.has_value()) return false;
    const uint64_t abbreviated = args_.order.Abbreviate(at);
    if (abbreviated != lower_abbreviated_) return abbreviated < lower_abbreviated_;
    return args_.order.Less(at, *args_.lower_bound);
  }
  bool PastUpper(std::string_view at) const {
    if (!args_.upper_bound.has_value()) return false;
    const uint64_t abbreviated = args_.order.Abbreviate(at);
    if (abbreviated != upper_abbreviated_) return abbreviated > upper_abbreviated_;
    return !args_.order.Less(at, *args_.upper_bound);
  }

  void Show(std::string_view at_key, std::string_view its_value) {
    key_ = at_key;
    value_ = its_value;
    valid_ = true;
  }
  void End(absl::Status status) {
    valid_ = false;
    status_ = args_.open == nullptr ? std::move(status) : args_.open->Outcome(std::move(status));
  }
  bool InputFailed() const { return !input()->Valid() && !input()->status().ok(); }

  DBIteratorArgs args_;
  const bool identical_;                                  // whether equal keys are identical bytes
  KeyFold fold_;                                          // of saved_key_
  const uint64_t lower_abbreviated_, upper_abbreviated_;  // of the bounds
  std::string_view key_, value_;
  // Forward: scratch space. Backward: the current entry.
  std::string saved_key_, saved_value_;
  absl::Status status_;
  Direction direction_ = Direction::kForward;
  bool valid_ = false;
};

void DBIterator::Start(Direction direction) {
  direction_ = direction;
  status_ = absl::OkStatus();
  if (args_.stats != nullptr) args_.stats->Add(Counter::kSeeks, 1);
}

void DBIterator::SeekToFirst() {
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    Start(Direction::kForward);
    if (args_.lower_bound.has_value()) {
      input()->Seek(*args_.lower_bound, seek_trailer());
    } else {
      input()->SeekToFirst();
    }
    FindForward();
  });
}

void DBIterator::SeekToLast() {
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    Start(Direction::kBackward);
    if (args_.upper_bound.has_value()) {
      input()->SeekForPrev(*args_.upper_bound, kNewestTrailer);
    } else {
      input()->SeekToLast();
    }
    FindBackward();
  });
}

void DBIterator::Seek(std::string_view target) {
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    Start(Direction::kForward);
    saved_key_.assign(target);  // `target` may be this iterator's own key
    input()->Seek(BelowLower(saved_key_) ? *args_.lower_bound : saved_key_, seek_trailer());
    FindForward();
  });
}

void DBIterator::SeekForPrev(std::string_view target) {
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    if (PastUpper(target)) return SeekToLast();
    Start(Direction::kBackward);
    saved_key_.assign(target);
    input()->SeekForPrev(saved_key_, kOldestTrailer);
    FindBackward();
  });
}

void DBIterator::Next() {
  assert(valid_);
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    if (direction_ == Direction::kForward) [[likely]] {
      saved_key_.assign(key_);
      input()->Next();
    } else if (std::exchange(direction_, Direction::kForward) == Direction::kBackward) {
      if (input()->Valid()) {
        input()->Next();
      } else {
        input()->Seek(saved_key_, kNewestTrailer);
      }
    }
    PassForward();
    FindForward();
  });
}

void DBIterator::Prev() {
  assert(valid_);
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    const Direction before = std::exchange(direction_, Direction::kBackward);
    if (before == Direction::kForwardMerged) {
      input()->SeekForPrev(saved_key_, kNewestTrailer);
    } else if (before == Direction::kForward) {
      saved_key_.assign(key_);
      PassBackward();
    }
    FindBackward();
  });
}

void DBIterator::PassForward() {
  for (int steps = 0; StandsOnSaved(); ++steps) {
    if (steps == kMaxSteps) {
      input()->Seek(saved_key_, kOldestTrailer);
    } else {
      input()->Next();
    }
  }
}

void DBIterator::PassBackward() {
  for (int steps = 0; StandsOnSaved(); ++steps) {
    if (steps == kMaxSteps) {
      input()->SeekForPrev(saved_key_, kNewestTrailer);
    } else {
      input()->Prev();
    }
  }
}

void DBIterator::FindForward() {
  while (input()->Valid()) {
    const std::string_view at = input()->key();
    if (PastUpper(at)) return End(absl::OkStatus());
    if (KeyFold::DecidesAlone(input()->trailer(), args_.sequence)) [[likely]] {
      return Show(at, input()->value());
    }
    saved_key_.assign(at);
    fold_.Reset(args_.sequence);
    fold_.Step(input()->trailer(), input()->value());
    FoldOlder();
    if (InputFailed()) break;
    if (fold_.state() == State::kValue) return Show(input()->key(), fold_.value());
    if (fold_.state() == State::kUnsupported) return End(UnsupportedKind(fold_.kind()));
    if (fold_.has_operands()) return ShowMerged();
    PassForward();
  }
  End(input()->status());
}

void DBIterator::FoldOlder() {
  for (int steps = 0; !fold_.decided(); ++steps) {
    if (steps == kMaxSteps && !fold_.has_operands()) {
      input()->Seek(saved_key_, seek_trailer());
    } else {
      input()->Next();
    }
    if (!StandsOnSaved()) return;
    const bool first = !fold_.has_operands();
    fold_.Step(input()->trailer(), input()->value());
    // key() returns the bytes of the newest operand's key, as in FoldBackward().
    if (first && fold_.has_operands() && !identical_) saved_key_.assign(input()->key());
  }
}

void DBIterator::ShowMerged() {
  absl::Status status = fold_.Merge(saved_key_, &saved_value_);
  if (!status.ok()) return End(std::move(status));
  Show(saved_key_, saved_value_);
  if (direction_ == Direction::kForward) direction_ = Direction::kForwardMerged;
}

void DBIterator::FindBackward() {
  while (input()->Valid()) {
    if (BelowLower(input()->key())) return End(absl::OkStatus());
    saved_key_.assign(input()->key());
    FoldBackward();
    // If the input failed, newer versions of the key may follow the error.
    if (InputFailed()) break;
    if (fold_.state() == State::kValue) return Show(saved_key_, fold_.value());
    if (fold_.state() == State::kUnsupported) return End(UnsupportedKind(fold_.kind()));
    if (fold_.has_operands()) return ShowMerged();
  }
  End(input()->status());
}

void DBIterator::FoldBackward() {
  fold_.Reset(args_.sequence);
  for (int steps = 0; StandsOnSaved(); ++steps) {
    if (steps == kMaxSteps) return FoldBySeek();
    // Equal keys of a custom order may differ in bytes: key() returns the newest version's.
    if (fold_.StepNewer(input()->trailer(), input()->value()) && !identical_) {
      saved_key_.assign(input()->key());
    }
    input()->Prev();
  }
}

void DBIterator::FoldBySeek() {
  fold_.Reset(args_.sequence);
  input()->Seek(saved_key_, seek_trailer());
  if (StandsOnSaved()) {
    if (!identical_) saved_key_.assign(input()->key());
    fold_.Step(input()->trailer(), input()->value());
    FoldOlder();
  }
  if (fold_.state() == State::kValue) fold_.KeepValue();
  if (!InputFailed()) input()->SeekForPrev(saved_key_, kNewestTrailer);
}

}  // namespace

std::unique_ptr<Iterator> NewDBIterator(DBIteratorArgs args) {
  return std::make_unique<DBIterator>(std::move(args));
}

}  // namespace cambium::engine
