#include "compaction/merge_stream.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "util/absl_view.h"

namespace cambium::compaction {
namespace {

// Entries between two calls of `cancelled`: a power of two.
constexpr uint64_t kEntriesPerCheck = 4096;

// Returns enough of a key for a message.
std::string EscapeKey(std::string_view key) {
  constexpr size_t kShownBytes = 40;
  return absl::CHexEscape(ToAbsl(key.substr(0, kShownBytes)));
}

}  // namespace

MergeCounts& MergeCounts::operator+=(const MergeCounts& other) {
  in += other.in;
  out += other.out;
  shadowed += other.shadowed;
  tombstones_dropped += other.tombstones_dropped;
  expired += other.expired;
  merged += other.merged;
  sequences_zeroed += other.sequences_zeroed;
  return *this;
}

MergeStream::MergeStream(InternalIterator* input, MergeStreamOptions options)
    : input_(input), options_(std::move(options)), time_(options_.wall) {
  current_.fold = KeyFold(0, options_.merge_operator, options_.wall == nullptr ? nullptr : &time_);
  assert(std::is_sorted(options_.snapshots.begin(), options_.snapshots.end()));
  if (options_.range.begin) {
    input_->Seek(*options_.range.begin, ~Trailer{0});
  } else {
    input_->SeekToFirst();
  }
  FindKept();
}

void MergeStream::Next() {
  assert(valid_ && status_.ok());
  if (held_.empty()) [[likely]] {
    input_->Next();
  } else if (++at_ < held_.size()) {
    return ShowHeld();
  } else {
    held_.clear();  // the input is after them
  }
  FindKept();
}

void MergeStream::FindKept() {
  valid_ = false;
  for (; input_->Valid(); input_->Next()) {
    if (TrailerSequence(input_->trailer()) > options_.newest) continue;
    if (!Enter()) return;
    ++counts_.in;
    if (Judge() == Verdict::kDrop) continue;
    if (current_.fold.has_operands() && !current_.pass_all) {
      if (Gather()) ShowHeld();
      return;
    }
    Show();
    return;
  }
  status_ = input_->status();
}

void MergeStream::Show() {
  ++counts_.out;
  starts_key_ = !current_.emitted;
  current_.emitted = true;
  valid_ = true;
}

void MergeStream::ShowHeld() {
  assert(at_ < held_.size());
  trailer_ = held_[at_].trailer;
  Show();
}

bool MergeStream::Gather() {
  assert(held_.empty() && !current_.fold.decided());
  at_ = 0;
  if (GatherVersions()) {
    MergeHeld();
    return true;
  }
  held_.clear();
  return false;
}

bool MergeStream::GatherVersions() {
  held_.push_back({input_->trailer(), std::string(input_->value())});
  while (!current_.fold.decided()) {
    input_->Next();
    if (!input_->Valid()) {
      status_ = input_->status();
      return status_.ok();
    }
    const Trailer trailer = input_->trailer();
    if (TrailerSequence(trailer) > options_.newest) continue;
    if (options_.order.Compare(current_.key, input_->key()) != 0) return true;
    if (StripeOf(TrailerSequence(trailer)) != current_.stripe) return true;
    if (!Enter()) return false;
    ++counts_.in;
    if (TrailerSequence(trailer) < current_.covered) {
      ++counts_.shadowed;
      current_.fold.EndSource();
      continue;
    }
    current_.fold.Step(trailer, input_->value());
    held_.push_back({trailer, std::string(input_->value())});
  }
  input_->Next();
  return true;
}

void MergeStream::MergeHeld() {
  current_.fold.EndSource();  // a range tombstone hides everything older from the stripe's readers
  const KeyFold& fold = current_.fold;
  current_.pass_all = fold.state() == KeyFold::State::kUnsupported;
  if (current_.pass_all) return;
  if (fold.decided() && fold.expiry_micros() != 0) {
    // The base will expire and the operands will not.
    Held base = std::move(held_.back());
    held_.pop_back();
    MergeOperands();
    held_.push_back(std::move(base));
    return;
  }
  const bool whole = fold.decided() || (EndsKey() && current_.stripe == 0 && AbsentBelow());
  if (!whole) return MergeOperands();
  std::string value;
  if (!fold.Merge(current_.key, &value).ok() || value.size() > kMaxValueSize) {
    // A read of the key fails in the same way, or its value is too large for a table.
    current_.pass_all = true;
    return;
  }
  counts_.merged += held_.size() - 1;
  held_.resize(1);
  held_[0].value = std::move(value);
  trailer_ = MakeTrailer(TrailerSequence(held_[0].trailer), Kind::kValue);
  JudgeValue();
  held_[0].trailer = trailer_;
}

void MergeStream::MergeOperands() {
  // held_[0…top] are the operands that are kept so far, and ranks[i] says how often held_[i] has
  // absorbed one of its own rank: a byte of an operand is copied log(n) times, not n times.
  std::vector<uint8_t> ranks{0};
  size_t top = 0;
  const auto absorb_top = [&] {
    if (!MergeIntoNewer(held_[top].value, &held_[top - 1])) return false;
    ranks[top - 1] = static_cast<uint8_t>(ranks[top - 1] + 1);
    ranks.pop_back();
    --top;
    return true;
  };
  for (size_t i = 1; i < held_.size(); ++i) {
    if (++top != i) held_[top] = std::move(held_[i]);
    ranks.push_back(0);
    while (top > 0 && ranks[top] == ranks[top - 1] && absorb_top()) {
    }
  }
  constexpr uint8_t kAbsorbed = UINT8_MAX;
  for (size_t i = top; i > 0; --i) {
    if (MergeIntoNewer(held_[i].value, &held_[i - 1])) ranks[i] = kAbsorbed;
  }
  size_t kept = 0;
  for (size_t i = 0; i <= top; ++i) {
    if (ranks[i] == kAbsorbed) continue;
    if (kept != i) held_[kept] = std::move(held_[i]);
    ++kept;
  }
  counts_.merged += held_.size() - kept;
  held_.resize(kept);
}

bool MergeStream::MergeIntoNewer(std::string_view older, Held* newer) const {
  std::string both;
  if (!options_.merge_operator->PartialMerge(current_.key, older, newer->value, &both) ||
      both.size() > kMaxValueSize) {
    return false;
  }
  newer->value = std::move(both);
  return true;
}

bool MergeStream::EndsKey() const {
  return !input_->Valid() || options_.order.Compare(current_.key, input_->key()) != 0;
}

bool MergeStream::Enter() {
  const std::string_view key = input_->key();
  const Trailer trailer = input_->trailer();
  const int order = current_.seen ? options_.order.Compare(current_.key, key) : -1;
  if (order > 0 || (order == 0 && current_.last_trailer <= trailer)) {
    return Fail(absl::DataLossError(
        absl::StrCat("merge: entry ", counts_.in, ": found key \"", EscapeKey(key), "\" trailer ",
                     trailer, ", expected it after key \"", EscapeKey(current_.key), "\" trailer ",
                     current_.last_trailer)));
  }
  if (order < 0) {
    const auto& end = options_.range.end;
    if (end && !options_.order.Less(key, *end)) return false;
    current_.key.assign(key);
    current_.seen = true;
    current_.emitted = false;
    current_.pass_all = false;
    current_.stripe = SIZE_MAX;  // none yet
    if (options_.range_deletes != nullptr) {
      current_.segment = options_.range_deletes->Find(key);
      current_.range_deleted =
          options_.range_deletes->Newest(current_.segment, kMaxSequenceNumber) != 0;
    }
  }
  current_.last_trailer = trailer;
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

void MergeStream::EnterStripe(size_t stripe) {
  const SequenceNumber newest =
      stripe == options_.snapshots.size() ? kMaxSequenceNumber : options_.snapshots[stripe];
  current_.stripe = stripe;
  current_.fold.Reset(newest);
  current_.covered = 0;
  if (!current_.range_deleted) [[likely]]
    return;
  const SequenceNumber tombstone = options_.range_deletes->Newest(current_.segment, newest);
  // One of an older stripe covers nothing in this one. Versions between the two are not part of
  // this stripe, and may be operands' bases.
  if (tombstone == 0 || StripeOf(tombstone) != stripe) return;
  current_.covered = tombstone;
  current_.fold.Cover(tombstone);
}

MergeStream::Verdict MergeStream::Judge() {
  trailer_ = input_->trailer();
  const size_t stripe = StripeOf(TrailerSequence(trailer_));
  // Versions come newest first, and so do their stripes.
  assert(stripe <= options_.snapshots.size() && stripe <= current_.stripe);
  if (stripe != current_.stripe) {
    EnterStripe(stripe);
  } else if (current_.fold.decided() && !current_.pass_all) {
    ++counts_.shadowed;
    return Verdict::kDrop;
  }
  if (TrailerSequence(trailer_) < current_.covered) [[unlikely]] {
    ++counts_.shadowed;
    return Verdict::kDrop;
  }
  if (current_.pass_all) return Verdict::kKeep;
  switch (current_.fold.Step(trailer_, input_->value())) {
    case KeyFold::State::kValue:
      return JudgeValue();
    case KeyFold::State::kDeleted:
      return current_.fold.kind() == Kind::kValueWithExpiry ? JudgeExpired() : JudgeTombstone();
    case KeyFold::State::kUnsupported:
      current_.pass_all = true;
      break;
    case KeyFold::State::kMerged:
    case KeyFold::State::kMore:
      break;
  }
  return Verdict::kKeep;
}

MergeStream::Verdict MergeStream::JudgeValue() {
  assert(TrailerKind(trailer_) == Kind::kValue || TrailerKind(trailer_) == Kind::kValueWithExpiry);
  assert(TrailerSequence(trailer_) >= current_.covered);
  if (current_.stripe == 0 && TrailerSequence(trailer_) != 0 && !current_.range_deleted &&
      AbsentBelow()) {
    trailer_ = MakeTrailer(0, TrailerKind(trailer_));
    ++counts_.sequences_zeroed;
  }
  return Verdict::kKeep;
}

MergeStream::Verdict MergeStream::JudgeTombstone() {
  assert(TrailerKind(trailer_) == Kind::kDelete || TrailerKind(trailer_) == Kind::kSingleDelete);
  if (current_.stripe != 0 || !AbsentBelow()) return Verdict::kKeep;
  ++counts_.tombstones_dropped;
  return Verdict::kDrop;
}

MergeStream::Verdict MergeStream::JudgeExpired() {
  assert(TrailerKind(trailer_) == Kind::kValueWithExpiry);
  if (current_.stripe == 0 && ExpiredAbsentBelow()) {
    ++counts_.expired;
    return Verdict::kDrop;
  }
  trailer_ = MakeTrailer(TrailerSequence(trailer_), Kind::kDelete);
  return Verdict::kKeep;
}

size_t MergeStream::StripeOf(SequenceNumber sequence) const {
  const std::vector<SequenceNumber>& snapshots = options_.snapshots;
  return static_cast<size_t>(std::lower_bound(snapshots.begin(), snapshots.end(), sequence) -
                             snapshots.begin());
}

bool MergeStream::AbsentBelow() const {
  return options_.key_absent_below && options_.key_absent_below(current_.key);
}

bool MergeStream::ExpiredAbsentBelow() const {
  if (options_.key_absent_below) return options_.key_absent_below(current_.key);
  return options_.expired_absent_below && options_.expired_absent_below(current_.key);
}

}  // namespace cambium::compaction
