#include "compaction/merge_stream.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "util/absl_view.h"

namespace cambium::compaction {
namespace {

// Entries from one question whether to go on to the next: a power of two.
constexpr uint64_t kEntriesPerCheck = 4096;

// Enough of a key for a message.
std::string Shown(std::string_view key) {
  constexpr size_t kShownBytes = 40;
  return absl::CHexEscape(ToAbsl(key.substr(0, kShownBytes)));
}

}  // namespace

MergeCounts& MergeCounts::operator+=(const MergeCounts& other) {
  in += other.in;
  out += other.out;
  shadowed += other.shadowed;
  tombstones_dropped += other.tombstones_dropped;
  sequences_zeroed += other.sequences_zeroed;
  return *this;
}

MergeStream::MergeStream(InternalIterator* input, MergeStreamOptions options)
    : input_(input), options_(std::move(options)) {
  assert(std::is_sorted(options_.snapshots.begin(), options_.snapshots.end()));
  if (options_.range.begin) {
    input_->Seek(*options_.range.begin, ~Tag{0});
  } else {
    input_->SeekToFirst();
  }
  FindKept();
}

void MergeStream::Next() {
  assert(valid_ && status_.ok());
  input_->Next();
  FindKept();
}

void MergeStream::FindKept() {
  valid_ = false;
  for (; input_->Valid(); input_->Next()) {
    if (TagSequence(input_->tag()) > options_.newest) continue;
    if (!Enter()) return;
    ++counts_.in;
    if (Judge() == Verdict::kDrop) continue;
    ++counts_.out;
    assert(counts_.Balanced());
    starts_key_ = !current_.emitted;
    current_.emitted = true;
    valid_ = true;
    return;
  }
  status_ = input_->status();
}

bool MergeStream::Enter() {
  const std::string_view key = input_->key();
  const Tag tag = input_->tag();
  const int order = current_.seen ? options_.order.Compare(current_.key, key) : -1;
  if (order > 0 || (order == 0 && current_.last_tag <= tag)) {
    return Fail(absl::DataLossError(absl::StrCat(
        "merge: entry ", counts_.in, ": found key \"", Shown(key), "\" tag ", tag,
        ", expected it after key \"", Shown(current_.key), "\" tag ", current_.last_tag)));
  }
  if (order < 0) {
    const auto& end = options_.range.end;
    if (end && !options_.order.Less(key, *end)) return false;
    current_.key.assign(key);
    current_.seen = true;
    current_.emitted = false;
    current_.pass_all = false;
    current_.stratum = SIZE_MAX;  // none yet
  }
  current_.last_tag = tag;
  if (counts_.in % kEntriesPerCheck == 0 && options_.cancelled && options_.cancelled()) {
    return Fail(absl::CancelledError("merge: cancelled"));
  }
  return true;
}

bool MergeStream::Fail(absl::Status status) {
  assert(!status.ok() && !valid_);
  status_ = std::move(status);
  return false;
}

MergeStream::Verdict MergeStream::Judge() {
  tag_ = input_->tag();
  if (current_.pass_all) return Verdict::kKeep;
  const size_t stratum = StratumOf(TagSequence(tag_));
  // Versions come newest first, and so do the strata that they lie in.
  assert(stratum <= options_.snapshots.size() && stratum <= current_.stratum);
  if (stratum != current_.stratum) {
    current_.stratum = stratum;
    current_.fold = KeyFold(stratum == options_.snapshots.size() ? kMaxSequenceNumber
                                                                 : options_.snapshots[stratum]);
  } else if (current_.fold.decided()) {
    ++counts_.shadowed;
    return Verdict::kDrop;
  }
  switch (current_.fold.Feed(tag_)) {
    case KeyFold::Answer::kValue:
      return JudgeValue();
    case KeyFold::Answer::kDeleted:
      return JudgeTombstone();
    case KeyFold::Answer::kUnsupported:
      current_.pass_all = true;
      break;
    case KeyFold::Answer::kMore:
      break;
  }
  return Verdict::kKeep;
}

MergeStream::Verdict MergeStream::JudgeValue() {
  assert(TagKind(tag_) == Kind::kValue);
  if (current_.stratum == 0 && TagSequence(tag_) != 0 && AbsentBelow()) {
    tag_ = MakeTag(0, TagKind(tag_));
    ++counts_.sequences_zeroed;
  }
  return Verdict::kKeep;
}

MergeStream::Verdict MergeStream::JudgeTombstone() {
  assert(TagKind(tag_) == Kind::kDelete || TagKind(tag_) == Kind::kSingleDelete);
  if (current_.stratum != 0 || !AbsentBelow()) return Verdict::kKeep;
  ++counts_.tombstones_dropped;
  return Verdict::kDrop;
}

size_t MergeStream::StratumOf(SequenceNumber sequence) const {
  const std::vector<SequenceNumber>& snapshots = options_.snapshots;
  return static_cast<size_t>(std::lower_bound(snapshots.begin(), snapshots.end(), sequence) -
                             snapshots.begin());
}

bool MergeStream::AbsentBelow() const {
  return options_.key_absent_below && options_.key_absent_below(current_.key);
}

}  // namespace cambium::compaction
