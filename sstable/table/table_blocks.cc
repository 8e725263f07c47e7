#include "sstable/table/table_blocks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "util/absl_view.h"
#include "util/epoch.h"
#include "util/status_macros.h"

namespace cambium::sstable {
namespace {

// The number of bytes of a key in a message.
constexpr size_t kShownKeySize = 48;

std::string Show(std::string_view key) {
  const std::string_view shown = key.substr(0, kShownKeySize);
  return absl::StrCat("\"", absl::CHexEscape(ToAbsl(shown)), "\"",
                      shown.size() < key.size() ? "…" : "");
}

}  // namespace

TableBlocks::TableBlocks(TableFile file, TopIndex top)
    : file_(std::move(file)),
      top_(std::move(top)),
      slots_(std::make_unique<FrameSlot[]>(SlotCount())) {
  file_.options().cache->Reserve(MemoryUsage());
}

TableBlocks::~TableBlocks() {
  BlockCache* const cache = file_.options().cache;
  cache->Erase({slots_.get(), SlotCount()});
  cache->Unreserve(MemoryUsage());
}

bool TableBlocks::PinCached(const FrameSlot* slot, FrameLease* lease) const {
  FrameLease found;
  {
    const EpochGuard guard(file_.options().cache->epochs());
    found = FrameLease::Share(Cached(slot));
  }
  if (!found) return false;
  *lease = std::move(found);
  return true;
}

absl::Status TableBlocks::PinFilter(size_t partition, FrameLease* lease) const {
  if (PinCached(FilterSlot(partition), lease)) return absl::OkStatus();
  ASSIGN_OR_RETURN(*lease, ReadFilter(partition));
  Publish(FilterSlot(partition), lease);
  return absl::OkStatus();
}

absl::Status TableBlocks::PinIndex(size_t partition, FrameLease* lease) const {
  if (PinCached(IndexSlot(partition), lease)) return absl::OkStatus();
  ASSIGN_OR_RETURN(*lease, ReadIndex(partition));
  Publish(IndexSlot(partition), lease);
  return absl::OkStatus();
}

absl::Status TableBlocks::PinData(const DataPlace& place, Frame* index, CacheFill fill,
                                  FrameLease* lease) const {
  if (PinCached(index->data_slot(place.index), lease)) {
    Count(ReadCounter::kHit);
    return absl::OkStatus();
  }
  const IndexView& view = index->index();
  absl::StatusOr<FrameLease> read = file_.ReadBlock(view.handle(place.index), BlockKind::kData);
  if (!read.ok()) return WithKeyRange(read.status(), place, view);
  *lease = std::move(*read);
  if (fill == CacheFill::kYes) PublishData(index, place.index, lease);
  return absl::OkStatus();
}

void TableBlocks::PublishData(Frame* index, size_t block, FrameLease* lease) const {
  BlockCache* const cache = file_.options().cache;
  *lease = FrameLease::Own(cache->InsertData(index, block, lease->Release()));
}

absl::Status TableBlocks::EndsEarly(size_t partition) const {
  return WithKeyRange(file_.DamageError("found a last separator below that of the top index",
                                        BlockKind::kIndex, top_.partition(partition).index.offset),
                      partition);
}

absl::StatusOr<FrameLease> TableBlocks::ReadFilter(size_t partition) const {
  absl::StatusOr<FrameLease> lease =
      file_.ReadBlock(top_.partition(partition).filter, BlockKind::kFilter);
  if (!lease.ok()) return WithKeyRange(lease.status(), partition);
  return lease;
}

absl::StatusOr<FrameLease> TableBlocks::ReadIndex(size_t partition) const {
  const Partition& about = top_.partition(partition);
  absl::StatusOr<FrameLease> lease = file_.ReadBlock(about.index, BlockKind::kIndex);
  if (!lease.ok()) return WithKeyRange(lease.status(), partition);
  const size_t found = (*lease)->index().count();
  if (found == about.block_count) return lease;
  return WithKeyRange(
      file_.DamageError(absl::StrCat("found ", found, " data blocks, expected ", about.block_count),
                        BlockKind::kIndex, about.index.offset),
      partition);
}

void TableBlocks::Publish(FrameSlot* slot, FrameLease* lease) const {
  *lease = FrameLease::Own(file_.options().cache->Insert(slot, lease->Release()));
}

std::string TableBlocks::KeysFrom(size_t partition) const {
  return partition > 0 ? absl::StrCat("from ", Show(top_.separator(partition - 1)), " ") : "";
}

absl::Status TableBlocks::WithKeyRange(const absl::Status& status, const DataPlace& place,
                                       const IndexView& index) const {
  const std::string from = place.index > 0
                               ? absl::StrCat("from ", Show(index.separator(place.index - 1)), " ")
                               : KeysFrom(place.partition);
  return absl::Status(status.code(), absl::StrCat(status.message(), "; it holds keys ", from, "to ",
                                                  Show(index.separator(place.index))));
}

absl::Status TableBlocks::WithKeyRange(const absl::Status& status, size_t partition) const {
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), "; it is about keys ", KeysFrom(partition),
                                   "to ", Show(top_.separator(partition))));
}

size_t TableBlocks::MemoryUsage() const {
  return sizeof(*this) + top_.MemoryUsage() + SlotCount() * sizeof(FrameSlot);
}

}  // namespace cambium::sstable
