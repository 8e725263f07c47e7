// KeyFold: what a user key is, from its versions. The one place that knows.
//
// It is stepped over the versions of one user key as seen at one sequence number, newest first.
// Point read, scan in both directions, flush and compaction all ask it. With a merge operator that
// adds numbers:
//
//   seen at 30:   Put@40      →  kMore       newer than the reader
//                 Put@25 "7"  →  kValue      the newest version that the reader may see: "7"
//   seen at 20:   Del@15      →  kDeleted
//   seen at 30:   Merge@28 2  →  kMore       an operand: it applies to what is older
//                 Merge@26 3  →  kMore
//                 Put@25 "7"  →  kMerged     Merge() makes 7 + 3 + 2
//
// A key whose versions end at kMore is absent, or, if has_operands(), merged from operands
// alone.
//
// A scan that walks backward meets the versions oldest first. StepNewer() takes them in that order
// and comes to the same end: a newer value or deletion replaces what is older, an operand applies
// to it.
//
// On the path of a plain Get the fold is inline, a compare and a branch. Operands are copied: their
// source may move on or go away before the value is made.
#ifndef CAMBIUM_BASE_KEY_FOLD_H_
#define CAMBIUM_BASE_KEY_FOLD_H_

#include <cassert>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/keys.h"
#include "cambium/merge_operator.h"

namespace cambium {

// Thread-compatible.
class KeyFold {
 public:
  enum class State : uint8_t {
    kMore,         // not decided: step to the next older version
    kValue,        // value() is the key's value
    kMerged,       // operands and what they apply to: Merge() makes the value
    kDeleted,      // the key has no value at that sequence number
    kUnsupported,  // kind() decides, and this release does not know it or has no operator for it
  };

  // `merge_operator` may be null: operands are then an unsupported kind. It must outlive the fold.
  explicit KeyFold(SequenceNumber sequence, const MergeOperator* merge_operator = nullptr)
      : limit_(SeekTrailer(sequence)), merge_operator_(merge_operator) {}
  KeyFold(KeyFold&&) = default;
  KeyFold& operator=(KeyFold&&) = default;

  // Returns true if the newest version of a key is all that a reader at `sequence` needs: a value.
  // What a first Step() finds, for a scan that makes a fold only for the other keys.
  static bool DecidesAlone(Trailer newest, SequenceNumber sequence) {
    return newest <= SeekTrailer(sequence) && TrailerKind(newest) == Kind::kValue;
  }

  // Begins with another key. Keeps its buffers.
  void Reset(SequenceNumber sequence) {
    limit_ = SeekTrailer(sequence);
    state_ = State::kMore;
    DropOperands();
  }

  // The next older version. Requires: not decided, and `trailer` is older than every trailer
  // stepped over before, or one of these: a search that was broken off may begin anew. If it
  // returns kValue, value() is `value`, and lives as long.
  State Step(Trailer trailer, std::string_view value) {
    assert(!decided());
    if (trailer > limit_) return state_;
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

  // The next newer version: for one fold either Step() or StepNewer(). Returns true if it may be
  // seen. What value() returns is a copy.
  bool StepNewer(Trailer trailer, std::string_view value) {
    if (trailer > limit_) return false;
    kind_ = TrailerKind(trailer);
    switch (kind_) {
      case Kind::kValue:
        DropOperands();
        KeepValue(value);
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

  // Copies value(), so that it outlives what it was stepped over in.
  void KeepValue() { KeepValue(value_); }

  State state() const { return state_; }
  bool decided() const { return state_ != State::kMore; }
  bool has_operands() const { return has_operands_; }
  // Requires kValue.
  std::string_view value() const {
    assert(state_ == State::kValue);
    return value_;
  }
  // Of the version last stepped over that may be seen.
  Kind kind() const { return kind_; }

  // Makes the value of `key` out of the operands and what they apply to. Requires has_operands(),
  // and kMerged or that there is no older version. DataLoss naming the key if the operator refuses.
  absl::Status Merge(std::string_view key, std::string* result) const;

 private:
  // What only few keys need.
  struct Owned {
    std::string base;                   // the value that operands apply to, or a kept one
    std::vector<std::string> operands;  // newest first if stepped to by Step(), else oldest first
  };

  State StepOther(Trailer trailer, std::string_view value);
  State StepUnderOperands(Trailer trailer, std::string_view value);
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

  Trailer limit_;  // newer versions are passed over
  const MergeOperator* merge_operator_;
  std::string_view value_;
  std::unique_ptr<Owned> owned_;
  State state_ = State::kMore;
  Kind kind_ = Kind::kDelete;
  bool has_operands_ = false;
  bool has_base_ = false;      // owned_->base is what the operands apply to
  bool oldest_first_ = false;  // owned_->operands
};

// Why a key whose fold came to kUnsupported cannot be read: FailedPrecondition for an operand
// without an operator, else Unimplemented.
absl::Status UnsupportedKind(Kind kind);

}  // namespace cambium

#endif  // CAMBIUM_BASE_KEY_FOLD_H_
