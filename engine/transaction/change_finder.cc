#include "engine/transaction/change_finder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/merging_iterator.h"
#include "engine/shown_key.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

absl::Status Conflict(std::string_view key) {
  return absl::AbortedError(
      absl::StrCat("conflict: ", ShownKey(key), " was written after the transaction began"));
}

bool MayBeNewer(const MemSlot& frozen, SequenceNumber since) { return frozen.last > since; }

bool MayBeNewer(const RunView& run, SequenceNumber since) {
  return std::any_of(run.tables.begin(), run.tables.end(), [since](const LiveTableRef& table) {
    return table->file().largest_sequence > since;
  });
}

}  // namespace

absl::Status ChangeFinder::CheckFamily() const {
  if (view_->refusal == nullptr) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("conflict: ", view_->refusal->message()));
}

absl::Status ChangeFinder::CheckKey(std::string_view key) const {
  RETURN_IF_ERROR(CheckFamily());
  ASSIGN_OR_RETURN(const bool changed, KeyChanged(key));
  return changed ? Conflict(key) : absl::OkStatus();
}

absl::StatusOr<bool> ChangeFinder::KeyChanged(std::string_view key) const {
  const KeyOrder& order = tree_->order();
  const LookupKey lookup(key, kMaxSequenceNumber, order);
  const auto newer = [&](const MemSlot& slot) {
    if (slot.table.range_deletes().NewestOver(key, kMaxSequenceNumber) > since_) return true;
    const std::optional<Trailer> newest = slot.table.NewestTrailer(lookup);
    return newest.has_value() && TrailerSequence(*newest) > since_;
  };
  if (newer(*view_->active)) return true;
  for (const std::shared_ptr<MemSlot>& slot : view_->frozen) {
    if (MayBeNewer(*slot, since_) && newer(*slot)) return true;
  }
  for (const RunView& run : view_->tables->runs) {
    const LiveTable* const table = run.Find(lookup, order);
    if (table == nullptr || table->file().largest_sequence <= since_) continue;
    ASSIGN_OR_RETURN(const TombstoneIndex* const tombstones, table->RangeDeletes());
    if (tombstones != nullptr && tombstones->NewestOver(key, kMaxSequenceNumber) > since_) {
      return true;
    }
    const std::unique_ptr<InternalIterator> entries = NewRunIterator(order, run.All(), {});
    entries->Seek(key, SeekTrailer(kMaxSequenceNumber));
    RETURN_IF_ERROR(entries->status());
    if (entries->Valid() && order.Equal(entries->key(), key) &&
        TrailerSequence(entries->trailer()) > since_) {
      return true;
    }
  }
  return false;
}

std::unique_ptr<InternalIterator> ChangeFinder::Candidates() const {
  std::vector<std::unique_ptr<InternalIterator>> children;
  if (view_->active->takes_writes()) children.push_back(view_->active->table.NewIterator());
  for (const std::shared_ptr<MemSlot>& slot : view_->frozen) {
    if (MayBeNewer(*slot, since_)) children.push_back(slot->table.NewIterator());
  }
  for (const RunView& run : view_->tables->runs) {
    if (MayBeNewer(run, since_)) {
      children.push_back(NewRunIterator(tree_->order(), run.All(), {}));
    }
  }
  return NewMergingIterator(tree_->order(), std::move(children));
}

absl::Status ChangeFinder::CheckRangeDeletes(const ReadRange& range) const {
  const KeyOrder& order = tree_->order();
  const KeyCut begin = range.begin.has_value() ? KeyCut::Before(*range.begin) : KeyCut::Start();
  KeyCut end = KeyCut::End();
  if (range.end.has_value()) {
    end = range.end_is_read ? KeyCut::After(*range.end) : KeyCut::Before(*range.end);
  }
  const auto check = [&](const TombstoneIndex& tombstones) {
    if (tombstones.largest_sequence() <= since_) return absl::OkStatus();
    for (size_t segment = tombstones.FindAfter(begin);
         segment < tombstones.segment_count() &&
         CompareCuts(order, tombstones.begin(segment), end) < 0;
         ++segment) {
      if (tombstones.Newest(segment, kMaxSequenceNumber) <= since_) continue;
      const bool begins_before = CompareCuts(order, tombstones.begin(segment), begin) < 0;
      return Conflict(begins_before ? begin.key : tombstones.begin(segment).key);
    }
    return absl::OkStatus();
  };
  const auto check_memtable = [&](const MemSlot& slot) -> absl::Status {
    for (const memtable::RangeDeletes::Index& index : slot.table.range_deletes().Get()) {
      RETURN_IF_ERROR(check(*index));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(check_memtable(*view_->active));
  for (const std::shared_ptr<MemSlot>& slot : view_->frozen) {
    if (MayBeNewer(*slot, since_)) RETURN_IF_ERROR(check_memtable(*slot));
  }
  for (const RunView& run : view_->tables->runs) {
    for (const uint32_t index : run.run->with_range_deletes) {
      const LiveTable* const table = run.tables[index].get();
      const manifest::FileMetadata& file = table->file();
      if (file.largest_sequence <= since_) continue;
      if (CompareCuts(order, file.end(), begin) <= 0 ||
          CompareCuts(order, end, file.begin()) <= 0) {
        continue;
      }
      ASSIGN_OR_RETURN(const TombstoneIndex* const tombstones, table->RangeDeletes());
      RETURN_IF_ERROR(check(*tombstones));
    }
  }
  return absl::OkStatus();
}

absl::Status ChangeFinder::CheckRange(const ReadRange& range) const {
  const KeyOrder& order = tree_->order();
  RETURN_IF_ERROR(CheckFamily());
  RETURN_IF_ERROR(CheckRangeDeletes(range));
  const auto in_range = [&](std::string_view key) {
    if (!range.end.has_value()) return true;
    const int compared = order.Compare(key, *range.end);
    return range.end_is_read ? compared <= 0 : compared < 0;
  };
  const std::unique_ptr<InternalIterator> entries = Candidates();
  if (range.begin.has_value()) {
    entries->Seek(*range.begin, SeekTrailer(kMaxSequenceNumber));
  } else {
    entries->SeekToFirst();
  }
  for (; entries->Valid() && in_range(entries->key()); entries->Next()) {
    if (TrailerSequence(entries->trailer()) > since_) return Conflict(entries->key());
  }
  return entries->status();
}

}  // namespace cambium::engine
