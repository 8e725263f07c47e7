// MergeStream: selects the entries that a flush or a compaction keeps. The only class that drops
// versions.
//
// Snapshots divide the sequence numbers into stripes: the stripe of snapshot s contains the entries
// that are newer than the previous snapshot and not newer than s. Of one key's versions in one
// stripe only the newest can be visible; KeyFold resolves them. Example: snapshots 20 and 40; below
// the inputs there is older data for b but none for a and c.
//
//        in             stripe     out            why
//   a  Put@50 "a5"      > 40       a Put@50
//   a  Put@45 "a4"      > 40                      shadowed by @50
//   a  Del@30           21…40      a Del@30       a reader at 40 must not see @15
//   a  Put@15 "a1"      ≤ 20       a Put@0        no reader needs its number: set to 0
//   b  Del@18           ≤ 20       b Del@18       hides the older data below
//   b  Put@12           ≤ 20                      shadowed by @18
//   c  Del@19           ≤ 20                      tombstone: nothing below to hide
//   c  Put@10           ≤ 20                      shadowed by @19
//
// A tombstone is dropped only from the oldest stripe: in a newer one it hides versions that an
// older snapshot keeps. A sequence number is set to 0 only in the oldest stripe, for a value, and
// if there is no older data below: therefore (key, 0) is unique, every reader sees it, and blocks
// of such entries need no visibility check.
//
// The operands of a merge and their base become one value if all of them are in one stripe, or if
// there is nothing older in any stripe. Otherwise the operands are combined if their operator
// supports it, and none is lost:
//
//   d  Merge@50 +2      > 40       d Put@50 "9"   applied to the value
//   d  Put@45 "7"       > 40
//   e  Merge@50 +2      > 40       e Merge@50 +5  their base is not here, or in an older stripe
//   e  Merge@45 +3      > 40
//   e  Put@15 "7"       ≤ 20       e Put@0
//
// A value whose expiry has passed is a tombstone, and is written as one as long as there may be
// something to hide. Operands are not applied to a value that will expire, because they do not:
//
//   f  Merge@50 +2      ≤ 20       f Merge@50 +5  f is 12 until noon, and then 5
//   f  Merge@45 +3      ≤ 20
//   f  Put@15 "7"       ≤ 20       f Put@15       expires at noon
//
// A range tombstone hides the older versions of its stripe, like a tombstone of the key:
//
//   g  Put@45           > 40       g Put@45       under [a,z)@30: with number 0 the range
//                                                 tombstone would cover it
//   g  Put@25           21…40                     covered by @30
//   g  Put@15           ≤ 20       g Put@15       a reader at 20 does not see @30
//
// The stream only drops what they cover; kept_tombstones.h selects those that are written again.
//
// A version of a kind that this release does not know (KeyFold::kUnsupported), and all older
// versions of its key that are not covered, pass unchanged; so do operands that their operator
// rejects.
#ifndef CAMBIUM_COMPACTION_MERGE_STREAM_H_
#define CAMBIUM_COMPACTION_MERGE_STREAM_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/expiry.h"
#include "base/internal_iterator.h"
#include "base/key_fold.h"
#include "base/keys.h"
#include "base/range_tombstones.h"
#include "compaction/plan.h"

namespace cambium::compaction {

// Counts of the entries, by result. Plain data.
struct MergeCounts {
  uint64_t in = 0;
  uint64_t out = 0;
  uint64_t shadowed = 0;            // dropped: no reader can see it
  uint64_t tombstones_dropped = 0;  // dropped: it hides nothing any more
  uint64_t expired = 0;             // dropped: its expiry has passed, and it hides nothing
  uint64_t merged = 0;              // dropped: merged into a newer entry
  uint64_t sequences_zeroed = 0;    // of the entries in `out`

  // Returns true if the counts are balanced (D18).
  bool Balanced() const { return in == out + shadowed + tombstones_dropped + expired + merged; }
  MergeCounts& operator+=(const MergeCounts& other);
};

struct MergeStreamOptions {
  KeyOrder order{BytewiseComparator()};
  // The snapshots of all readers that may read the output and are older than its newest entry,
  // ascending. Each entry of the input must have been visible when they were listed.
  std::vector<SequenceNumber> snapshots;
  // Null: operands pass unchanged. Must outlive the stream.
  const MergeOperator* merge_operator = nullptr;
  // Null: values with an expiry, and older versions of their keys, pass unchanged. Must outlive the
  // stream.
  WallTime* wall = nullptr;
  // Entries with greater sequence numbers are skipped, and not counted.
  SequenceNumber newest = kMaxSequenceNumber;
  // Returns true if a key has no data older than the input anywhere; called for ascending keys.
  // Empty: every key may have older data.
  std::function<bool(std::string_view key)> key_absent_below;
  // The same, but only for dropping values whose expiry has passed: of an output whose sequence
  // numbers must stay. Not called if `key_absent_below` is there.
  std::function<bool(std::string_view key)> expired_absent_below;
  // The range tombstones of the input, and no others. Null: none. Must outlive the stream.
  const TombstoneIndex* range_deletes = nullptr;
  // Returns true if a range has no data older than the input anywhere; called for ascending ranges.
  // Empty: every range may have older data.
  std::function<bool(const KeyCut& begin, const KeyCut& end)> range_absent_below;
  // Only keys in this range.
  KeyRange range;
  // Called every few thousand entries; if it returns true, the stream ends with Cancelled. May be
  // empty.
  std::function<bool()> cancelled;
};

// Thread-compatible.
class MergeStream {
 public:
  // `input` must outlive the stream; it is positioned at the stream's first entry afterwards.
  MergeStream(InternalIterator* input, MergeStreamOptions options);
  MergeStream(const MergeStream&) = delete;
  MergeStream& operator=(const MergeStream&) = delete;

  // Returns false at the end and after an error: check status().
  bool Valid() const { return valid_; }
  // Return the current entry. Valid() must be true. The bytes live until Next().
  std::string_view key() const { return held_.empty() ? input_->key() : current_.key; }
  Trailer trailer() const { return trailer_; }
  std::string_view value() const {
    if (TrailerKind(trailer_) == Kind::kDelete) return {};  // the input's entry may have expired
    return held_.empty() ? input_->value() : held_[at_].value;
  }
  // Returns true if this entry has a different key than the previous one: a file may be split here.
  bool starts_key() const { return starts_key_; }

  // Valid() must be true.
  void Next();

  // Returns ok at the end of the range, the input's error, or DataLoss if its entries do not
  // ascend.
  const absl::Status& status() const { return status_; }

  const MergeCounts& counts() const { return counts_; }

 private:
  enum class Verdict : uint8_t { kKeep, kDrop };

  // The key whose versions are being processed.
  struct KeyState {
    std::string key;
    Trailer last_trailer = 0;
    bool seen = false;      // a key was read
    bool emitted = false;   // one of its versions was kept
    bool pass_all = false;  // a version of an unknown kind was read
    size_t stripe = 0;
    // The newest range tombstone of the stripe over the key, or 0.
    SequenceNumber covered = 0;
    size_t segment = 0;          // of the key in range_deletes
    bool range_deleted = false;  // whether there is one that any reader sees
    KeyFold fold{0};
  };
  // An entry that the input has passed. Its key is current_'s.
  struct Held {
    Trailer trailer = 0;
    std::string value;
  };

  // Advances from the input's entry to the first one that is kept, or to the end.
  void FindKept();
  // Makes the input's entry the current one; returns false at the end of the range and on an error.
  bool Enter();
  bool Fail(absl::Status status);
  // Sets the stream's entry to the input's entry, or to held_[at_].
  void Show();
  void ShowHeld();
  // Moves the input's operand, and all versions of its stripe that it may apply to, into held_,
  // unchanged or merged; the input is then after them. Returns false after an error.
  bool Gather();
  // Moves the versions into held_, and steps the fold over them.
  bool GatherVersions();
  // Merges the entries of held_ as far as possible without a loss.
  void MergeHeld();
  void MergeOperands();
  // Starts a stripe of the current key.
  void EnterStripe(size_t stripe);
  // Combines `older` with the next newer operand. Returns false, and changes nothing, if the
  // operator cannot combine them.
  bool MergeIntoNewer(std::string_view older, Held* newer) const;
  // Decides whether the current entry is kept; sets trailer_.
  Verdict Judge();
  Verdict JudgeValue();
  Verdict JudgeTombstone();
  Verdict JudgeExpired();
  // Returns the number of snapshots that do not see the sequence number.
  size_t StripeOf(SequenceNumber sequence) const;
  bool AbsentBelow() const;
  bool ExpiredAbsentBelow() const;
  // Returns true if no more versions of the key follow in the input.
  bool EndsKey() const;

  InternalIterator* const input_;
  const MergeStreamOptions options_;
  ReadTime time_;
  absl::Status status_;
  MergeCounts counts_;
  // The current entry of the stream.
  Trailer trailer_ = 0;
  bool valid_ = false;
  bool starts_key_ = false;
  KeyState current_;
  std::vector<Held> held_;  // newest first; if empty, the current entry is the input's
  size_t at_ = 0;
};

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_MERGE_STREAM_H_
