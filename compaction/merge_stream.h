// MergeStream: which entries a flush or a compaction keeps. The one place that drops versions.
//
// Snapshots cut the sequence numbers into stripes: the entries that a reader at snapshot s may be
// the first to see, those newer than the snapshot before s and not newer than s. Of one key's
// versions in one stripe only the newest can ever be seen; KeyFold says which. Example: snapshots
// 20 and 40, and below the inputs there is older data for b but none for a and c.
//
//        in             stripe     out            why
//   a  Put@50 "a5"      > 40       a Put@50
//   a  Put@45 "a4"      > 40                      shadowed by @50
//   a  Del@30           21…40      a Del@30       a reader at 40 must not see @15
//   a  Put@15 "a1"      ≤ 20       a Put@0        the oldest that anyone sees: its number may go
//   b  Del@18           ≤ 20       b Del@18       hides the older data below
//   b  Put@12           ≤ 20                      shadowed by @18
//   c  Del@19           ≤ 20                      tombstone: nothing below to hide
//   c  Put@10           ≤ 20                      shadowed by @19
//
// A tombstone goes only from the oldest stripe: in a newer one it hides versions that an older
// snapshot keeps. A number is given up (set to 0) only in the oldest stripe, on a value, and where
// there is no older data below: so (key, 0) stays unique, every reader sees it, and blocks of such
// entries need no check.
//
// Operands of a merge and what they apply to become one value, if all of it lies in one stripe, or
// if there is nothing older in any. Otherwise the operands are made one, if their operator can, and
// none is lost:
//
//   d  Merge@50 +2      > 40       d Put@50 "9"   applied to the value
//   d  Put@45 "7"       > 40
//   e  Merge@50 +2      > 40       e Merge@50 +5  what they apply to is not here, or in a snapshot
//   e  Merge@45 +3      > 40
//   e  Put@15 "7"       ≤ 20       e Put@0
//
// A version of a kind that this release does not know (KeyFold::kUnsupported), and all older ones
// of its key, pass as they are; so do operands that their operator refuses.
#ifndef CAMBIUM_COMPACTION_MERGE_STREAM_H_
#define CAMBIUM_COMPACTION_MERGE_STREAM_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/internal_iterator.h"
#include "base/key_fold.h"
#include "base/keys.h"
#include "compaction/plan.h"

namespace cambium::compaction {

// What became of the entries. Plain data.
struct MergeCounts {
  uint64_t in = 0;
  uint64_t out = 0;
  uint64_t shadowed = 0;            // dropped: no reader can see it
  uint64_t tombstones_dropped = 0;  // dropped: nothing left to hide
  uint64_t merged = 0;              // dropped: has become part of a newer one
  uint64_t sequences_zeroed = 0;    // of those that went out

  // D18.
  bool Balanced() const { return in == out + shadowed + tombstones_dropped + merged; }
  MergeCounts& operator+=(const MergeCounts& other);
};

struct MergeStreamOptions {
  KeyOrder order{BytewiseComparator()};
  // Of every reader that may come to the output and is older than its newest entry; ascending. Each
  // entry of the input must have been visible when they were listed.
  std::vector<SequenceNumber> snapshots;
  // Null: operands pass as they are. Must outlive the stream.
  const MergeOperator* merge_operator = nullptr;
  // Entries with greater sequence numbers are passed over, and not counted.
  SequenceNumber newest = kMaxSequenceNumber;
  // Whether a key has no data older than the input anywhere; asked for ascending keys. Empty: every
  // key may have.
  std::function<bool(std::string_view key)> key_absent_below;
  // Only keys inside.
  KeyRange range;
  // Asked every few thousand entries; true ends the stream with Cancelled. Empty: never.
  std::function<bool()> cancelled;
};

// Thread-compatible.
class MergeStream {
 public:
  // `input` must outlive the stream; it stands on the stream's first entry afterwards.
  MergeStream(InternalIterator* input, MergeStreamOptions options);
  MergeStream(const MergeStream&) = delete;
  MergeStream& operator=(const MergeStream&) = delete;

  // False at the end and after an error: look at status().
  bool Valid() const { return valid_; }
  // Require Valid(). The bytes live until Next().
  std::string_view key() const { return held_.empty() ? input_->key() : current_.key; }
  Trailer trailer() const { return trailer_; }
  std::string_view value() const { return held_.empty() ? input_->value() : held_[at_].value; }
  // Whether this entry is of another key than the one before: where a file may be split.
  bool starts_key() const { return starts_key_; }

  // Requires Valid().
  void Next();

  // ok at the end of the range; the input's error; DataLoss where its entries do not ascend.
  const absl::Status& status() const { return status_; }

  const MergeCounts& counts() const { return counts_; }

 private:
  enum class Verdict : uint8_t { kKeep, kDrop };

  // The key whose versions are being judged.
  struct KeyState {
    std::string key;
    Trailer last_trailer = 0;
    bool seen = false;      // whether there is such a key yet
    bool emitted = false;   // whether one of its versions went out
    bool pass_all = false;  // whether a version of an unknown kind came
    size_t stripe = 0;
    KeyFold fold{0};
  };
  // An entry that the input has passed. Its key is current_'s.
  struct Held {
    Trailer trailer = 0;
    std::string value;
  };

  // Goes on from the input's entry to the first that is kept, or to the end.
  void FindKept();
  // Takes the input's entry for the current one; false at the end of the range and on an error.
  bool Enter();
  bool Fail(absl::Status status);
  // Stands on the input's entry, or on held_[at_].
  void Show();
  void ShowHeld();
  // Takes the operand that the input is on, and all versions of its stripe that it may apply to,
  // into held_, as they are or merged; the input is behind them. False after an error.
  bool Gather();
  // Takes the versions into held_, and steps the fold over them.
  bool GatherVersions();
  // What held_ can be made into without a loss.
  void MergeHeld();
  void MergeOperands();
  // Whether the current entry stays; sets trailer_.
  Verdict Judge();
  Verdict JudgeValue();
  Verdict JudgeTombstone();
  // Number of snapshots that do not see the sequence number.
  size_t StripeOf(SequenceNumber sequence) const;
  bool AbsentBelow() const;
  // Whether no version of the key follows in the input.
  bool EndsKey() const;

  InternalIterator* const input_;
  const MergeStreamOptions options_;
  absl::Status status_;
  MergeCounts counts_;
  // The entry that the stream stands on.
  Trailer trailer_ = 0;
  bool valid_ = false;
  bool starts_key_ = false;
  KeyState current_;
  std::vector<Held> held_;  // newest first; empty: the stream stands on the input's entry
  size_t at_ = 0;
};

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_MERGE_STREAM_H_
