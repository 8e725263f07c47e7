#include "sstable/table/table_iterator.h"

namespace cambium::sstable {

TableIterator::TableIterator(const TableBlocks* blocks, CacheFill fill, size_t readahead_bytes)
    : blocks_(blocks), fill_(fill), block_(blocks->order()) {
  if (readahead_bytes != 0) sequential_.emplace(&blocks->file(), readahead_bytes);
}

void TableIterator::SeekToFirst() {
  status_ = absl::OkStatus();
  if (!MoveToPartition(0) || !MoveToBlock(0)) return;
  block_.SeekToFirst();
  TakeEntry();
}

void TableIterator::SeekToLast() {
  status_ = absl::OkStatus();
  if (!MoveToPartition(blocks_->partition_count() - 1)) return;
  if (!MoveToBlock(index().count() - 1)) return;
  block_.SeekToLast();
  TakeEntry();
}

void TableIterator::Seek(std::string_view key, Tag tag) {
  status_ = absl::OkStatus();
  if (!MoveToBlockOf(key)) return;
  // Versions of one key may fill several blocks, so the block after needs a search too.
  for (block_.Seek(key, tag); !block_.Valid(); block_.Seek(key, tag)) {
    if (!MoveToNeighbour(Direction::kForward)) return;
  }
  TakeEntry();
}

void TableIterator::SeekForPrev(std::string_view key, Tag tag) {
  status_ = absl::OkStatus();
  if (blocks_->top().Find(key) == blocks_->partition_count()) return SeekToLast();
  if (!MoveToBlockOf(key)) return;
  for (block_.Seek(key, tag); !block_.Valid(); block_.Seek(key, tag)) {
    // The block's entries are all before the target. The next block's are all after it, unless
    // versions of the key go on there.
    const bool goes_on = blocks_->order().Equal(index().separator(place_.index), key);
    const bool is_last =
        place_.partition + 1 == blocks_->partition_count() && place_.index + 1 == index().count();
    if (!goes_on || is_last) {
      block_.SeekToLast();
      return TakeEntry();
    }
    if (!MoveToNeighbour(Direction::kForward)) return;
  }
  TakeEntry();
  if (block_.tag() != tag || !blocks_->order().Equal(block_.key(), key)) Prev();
}

void TableIterator::Next() {
  block_.Next();
  if (!block_.Valid()) [[unlikely]] {
    if (!MoveToNeighbour(Direction::kForward)) return;
    block_.SeekToFirst();
  }
  TakeEntry();
}

void TableIterator::Prev() {
  block_.Prev();
  if (!block_.Valid()) [[unlikely]] {
    if (!MoveToNeighbour(Direction::kBackward)) return;
    block_.SeekToLast();
  }
  TakeEntry();
}

bool TableIterator::MoveToBlockOf(std::string_view key) {
  const size_t partition = blocks_->top().Find(key);
  if (partition == blocks_->partition_count()) {
    SetInvalid();
    return false;
  }
  if (!MoveToPartition(partition)) return false;
  const size_t block = index().Find(key);
  if (block < index().count()) return MoveToBlock(block);
  return Fail(blocks_->WithKeyRange(
      blocks_->file().Annotate(
          absl::DataLossError("found a last separator below that of the top index"),
          BlockKind::kIndex, blocks_->top().partition(partition).index.offset),
      partition));
}

bool TableIterator::MoveToNeighbour(Direction direction) {
  if (direction == Direction::kForward) {
    if (place_.index + 1 < index().count()) return MoveToBlock(place_.index + 1);
    if (place_.partition + 1 < blocks_->partition_count()) {
      return MoveToPartition(place_.partition + 1) && MoveToBlock(0);
    }
  } else {
    if (place_.index > 0) return MoveToBlock(place_.index - 1);
    if (place_.partition > 0) {
      return MoveToPartition(place_.partition - 1) && MoveToBlock(index().count() - 1);
    }
  }
  SetInvalid();
  return false;
}

bool TableIterator::MoveToPartition(size_t partition) {
  if (index_ && place_.partition == partition) return true;
  data_.Reset();
  place_ = {.partition = partition, .index = 0};
  const absl::Status status = blocks_->PinIndex(partition, &index_);
  return status.ok() || Fail(status);
}

bool TableIterator::MoveToBlock(size_t block) {
  if (data_ && place_.index == block) return true;
  place_.index = block;
  if (!sequential_.has_value()) {
    const absl::Status status = blocks_->PinData(place_, index(), fill_, &data_);
    if (!status.ok()) return Fail(status);
    block_.SetBlock(data_->block());
    return true;
  }
  const absl::StatusOr<Block> read = sequential_->Read(index().handle(block));
  if (!read.ok()) return Fail(blocks_->WithKeyRange(read.status(), place_, index()));
  block_.SetBlock(*read);
  return true;
}

bool TableIterator::Fail(const absl::Status& status) {
  status_ = status;
  index_.Reset();
  data_.Reset();
  SetInvalid();
  return false;
}

}  // namespace cambium::sstable
