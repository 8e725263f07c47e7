// KeyFold: resolves the versions of a user key. The only class that does.
//
// It is stepped over the versions of one user key that are visible at one sequence number, newest
// first. Point reads, scans in both directions, flush, and compaction all use it. With a merge
// operator that adds numbers:
//
//   read at 30:   Put@40      →  kMore       newer than the reader
//                 Put@25 "7"  →  kValue      the newest visible version: "7"
//   read at 20:   Del@15      →  kDeleted
//   read at 30:   Merge@28 2  →  kMore       an operand: it applies to older versions
//                 Merge@26 3  →  kMore
//                 Put@25 "7"  →  kMerged     Merge() returns 7 + 3 + 2
//   read at 30, under a range tombstone @27 that Cover() has announced:
//                 Merge@28 2  →  kMore
//                 Merge@26 3  →  kMerged     it is covered: Merge() returns 2
//
// If the versions of a key end at kMore, the key does not exist, or, if has_operands(), its value
// is merged from the operands only.
//
// A backward scan visits the versions oldest first. StepNewer() accepts them in that order and
// computes the same result: a newer value or deletion replaces the older versions, an operand
// applies to them.
//
// A value with an expiry (base/expiry.h) that has passed counts as a deletion, also as the base of
// operands: these do not expire.
//
// For a plain Get the fold is inline: a compare and a branch. Operands are copied, because their
// source may move or be destroyed before the value is merged.
#ifndef CAMBIUM_BASE_KEY_FOLD_H_
#define CAMBIUM_BASE_KEY_FOLD_H_

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/expiry.h"
#include "base/keys.h"
#include "cambium/merge_operator.h"

namespace cambium {

// Thread-compatible.
class KeyFold {
 public:
  enum class State : uint8_t {
    kMore,         // undecided: step to the next older version
    kValue,        // value() is the key's value
    kMerged,       // operands and their base: Merge() computes the value
    kDeleted,      // the key has no value at that sequence number
    kUnsupported,  // kind() is unknown to this release, or has no operator
  };

  // `merge_operator` may be null: then operands are an unsupported kind. So may `time`: then values
  // with an expiry are. Both must outlive the fold.
  explicit KeyFold(SequenceNumber sequence, const MergeOperator* merge_operator = nullptr,
                   ReadTime* time = nullptr)
      : limit_(SeekTrailer(sequence)), merge_operator_(merge_operator), time_(time) {}
  KeyFold(KeyFold&&) = default;
  KeyFold& operator=(KeyFold&&) = default;

  // Returns true if the newest version of a key is a value and decides a read at `sequence`. A scan
  // uses this instead of a first Step(), and makes a fold only for the other keys.
  static bool DecidesAlone(Trailer newest, SequenceNumber sequence) {
    return newest <= SeekTrailer(sequence) && TrailerKind(newest) == Kind::kValue;
  }

  // Starts a new key. Keeps the buffers.
  void Reset(SequenceNumber sequence) {
    limit_ = SeekTrailer(sequence);
    state_ = State::kMore;
    covered_ = 0;
    expiry_micros_ = 0;
    DropOperands();
  }

  // Announces a range tombstone over the key, which must be visible: older versions count as
  // deleted.
  void Cover(SequenceNumber tombstone) {
    covered_ = std::max(covered_, MakeTrailer(tombstone, Kind::kDelete));
  }
  // Call it when every version of a source was stepped over, if the other sources have only older
  // versions: they are covered by every tombstone so far. Returns decided().
  bool EndSource() {
    if (covered_ != 0 && !decided()) [[unlikely]]
      StepCovered();
    return decided();
  }

  // Steps to the next older version. The result must be undecided, and `trailer` must be older than
  // every trailer stepped over before, or equal to one of these: an interrupted search may start
  // again. If it returns kValue, value() is `value`, or its end, with the same lifetime.
  State Step(Trailer trailer, std::string_view value) {
    assert(!decided());
    if (trailer > limit_) return state_;
    if (trailer < covered_) [[unlikely]]
      return StepCovered();
    kind_ = TrailerKind(trailer);
    if (has_operands_) [[unlikely]]
      return StepUnderOperands(trailer, value);
    switch (kind_) {
      case Kind::kValue:
        value_ = value;
        return state_ = State::kValue;
      case Kind::kDelete:
      case Kind::kSingleDelete:
        return state_ = State::kDeleted;
      default:
        return StepOther(trailer, value);
    }
  }

  // Steps to the next newer version; use either Step() or StepNewer() for one fold, and no Cover()
  // with StepNewer(). Returns true if the version is visible. value() then returns a copy.
  bool StepNewer(Trailer trailer, std::string_view value) {
    if (trailer > limit_) return false;
    kind_ = TrailerKind(trailer);
    switch (kind_) {
      case Kind::kValue:
        DropOperands();
        KeepValue(value);
        expiry_micros_ = 0;
        state_ = State::kValue;
        break;
      case Kind::kDelete:
      case Kind::kSingleDelete:
        DropOperands();
        state_ = State::kDeleted;
        break;
      default:
        StepOtherNewer(value);
    }
    return true;
  }

  // Copies value(), so that it outlives its source.
  void KeepValue() { KeepValue(value_); }

  State state() const { return state_; }
  bool decided() const { return state_ != State::kMore; }
  bool has_operands() const { return has_operands_; }
  // The state must be kValue.
  std::string_view value() const {
    assert(state_ == State::kValue);
    return value_;
  }
  // Returns when the value expires, or, after Step() has returned kMerged, when the base of the
  // operands does; 0: never.
  uint64_t expiry_micros() const { return expiry_micros_; }
  // Returns the kind of the last visible version.
  Kind kind() const { return kind_; }

  // Computes the value of `key` from the operands and their base. Requires has_operands(), and
  // kMerged or that there is no older version. Returns DataLoss with the key if the operator fails.
  absl::Status Merge(std::string_view key, std::string* result) const;

 private:
  // State that only a few keys need.
  struct Owned {
    std::string base;                   // the value that operands apply to, or a kept one
    std::vector<std::string> operands;  // newest first after Step(), oldest first after StepNewer()
  };

  State StepCovered() { return state_ = has_operands_ ? State::kMerged : State::kDeleted; }
  State StepOther(Trailer trailer, std::string_view value);
  State StepUnderOperands(Trailer trailer, std::string_view value);
  // Resolves a kValueWithExpiry to kValue, with `*value` without its expiry, to kDeleted, or to
  // kUnsupported. Sets expiry_micros_.
  State Resolve(std::string_view* value);
  void StepOtherNewer(std::string_view value);
  void KeepValue(std::string_view value) {
    owned().base.assign(value);
    value_ = owned_->base;
  }
  void DropOperands() {
    if (!has_operands_) [[likely]]
      return;
    owned_->operands.clear();
    has_operands_ = has_base_ = oldest_first_ = false;
  }
  Owned& owned() {
    if (owned_ == nullptr) owned_ = std::make_unique<Owned>();
    return *owned_;
  }

  Trailer limit_;        // newer versions are skipped
  Trailer covered_ = 0;  // older ones are deleted
  const MergeOperator* merge_operator_;
  ReadTime* time_;
  uint64_t expiry_micros_ = 0;  // of value_ or of owned_->base
  std::string_view value_;
  std::unique_ptr<Owned> owned_;
  State state_ = State::kMore;
  Kind kind_ = Kind::kDelete;
  bool has_operands_ = false;
  bool has_base_ = false;      // owned_->base is the base of the operands
  bool oldest_first_ = false;  // order of owned_->operands
};

// Returns the error for a key whose state is kUnsupported: FailedPrecondition for an operand
// without an operator, otherwise Unimplemented.
absl::Status UnsupportedKind(Kind kind);

}  // namespace cambium

#endif  // CAMBIUM_BASE_KEY_FOLD_H_
