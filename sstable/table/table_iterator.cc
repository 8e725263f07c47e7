#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/merging_iterator.h"
#include "sstable/block/block.h"
#include "sstable/table/table_reader.h"

namespace cambium::sstable {
namespace {

// Iterates over the entries of a table in both directions. The position consists of a partition, a
// block of the partition, and an entry of the block. It pins the frames of one index partition and
// one data block. A step inside a block is an index ± 1. Thread-compatible.
class TableIterator final : public InternalIterator {
 public:
  TableIterator(const TableBlocks* blocks, const TableIteratorOptions& options)
      : blocks_(blocks), fill_(options.fill), block_(blocks->order()) {
    if (options.readahead_bytes != 0) sequential_.emplace(&blocks->file(), options.readahead_bytes);
  }

  void SeekToFirst() override {
    status_ = absl::OkStatus();
    if (!MoveToPartition(0) || !MoveToBlock(0)) return;
    block_.SeekToFirst();
    TakeEntry();
  }

  void SeekToLast() override {
    status_ = absl::OkStatus();
    if (!MoveToPartition(blocks_->partition_count() - 1)) return;
    if (!MoveToBlock(index().count() - 1)) return;
    block_.SeekToLast();
    TakeEntry();
  }

  void Seek(std::string_view key, Trailer trailer) override {
    status_ = absl::OkStatus();
    if (!MoveToBlockOf(key)) return;
    // Versions of one key may fill several blocks, so the next block needs a search, too.
    for (block_.Seek(key, trailer); !block_.Valid(); block_.Seek(key, trailer)) {
      if (!MoveToNeighbour(Direction::kForward)) return;
    }
    TakeEntry();
  }

  void SeekForPrev(std::string_view key, Trailer trailer) override {
    status_ = absl::OkStatus();
    if (blocks_->top().Find(key) == blocks_->partition_count()) return SeekToLast();
    if (!MoveToBlockOf(key)) return;
    for (block_.Seek(key, trailer); !block_.Valid(); block_.Seek(key, trailer)) {
      // All entries of the block are before the target. All entries of the next block are after it,
      // unless versions of the key continue there.
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
    if (block_.trailer() != trailer || !blocks_->order().Equal(block_.key(), key)) Prev();
  }

  void Next() override {
    block_.Next();
    if (!block_.Valid()) [[unlikely]] {
      if (!MoveToNeighbour(Direction::kForward)) return;
      block_.SeekToFirst();
    }
    TakeEntry();
  }

  void Prev() override {
    block_.Prev();
    if (!block_.Valid()) [[unlikely]] {
      if (!MoveToNeighbour(Direction::kBackward)) return;
      block_.SeekToLast();
    }
    TakeEntry();
  }

  absl::Status status() const override { return status_; }

 private:
  enum class Direction : uint8_t { kForward, kBackward };

  // The moves return false, and leave no position, at the end of the table or after an error.

  // Moves to the first block that can contain an entry at or after `key`.
  bool MoveToBlockOf(std::string_view key) {
    const size_t partition = blocks_->top().Find(key);
    if (partition == blocks_->partition_count()) {
      SetInvalid();
      return false;
    }
    if (!MoveToPartition(partition)) return false;
    const size_t block = index().Find(key);
    return block < index().count() ? MoveToBlock(block) : Fail(blocks_->EndsEarly(partition));
  }

  bool MoveToNeighbour(Direction direction) {
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

  bool MoveToPartition(size_t partition) {
    if (index_ && place_.partition == partition) return true;
    data_.Reset();
    place_ = {.partition = partition, .index = 0};
    const absl::Status status = blocks_->PinIndex(partition, &index_);
    return status.ok() || Fail(status);
  }

  bool MoveToBlock(size_t block) {
    if (data_ && place_.index == block) return true;
    place_.index = block;
    if (!sequential_.has_value()) {
      const absl::Status status = blocks_->PinData(place_, index_.get(), fill_, &data_);
      if (!status.ok()) return Fail(status);
      block_.SetBlock(data_->block());
      return true;
    }
    const absl::StatusOr<Block> read = sequential_->Read(index().handle(block));
    if (!read.ok()) return Fail(blocks_->WithKeyRange(read.status(), place_, index()));
    block_.SetBlock(*read);
    return true;
  }

  bool Fail(const absl::Status& status) {
    status_ = status;
    index_.Reset();
    data_.Reset();
    SetInvalid();
    return false;
  }

  void TakeEntry() { SetEntry(block_.key(), block_.trailer(), block_.value()); }
  const IndexView& index() const { return index_->index(); }

  const TableBlocks* const blocks_;
  const CacheFill fill_;
  std::optional<SequentialBlocks> sequential_;
  DataPlace place_;
  FrameLease index_;  // of place_.partition, or null
  FrameLease data_;   // of place_, or null
  BlockIterator block_;
  absl::Status status_;
};

}  // namespace

std::unique_ptr<InternalIterator> TableReader::NewIterator(
    const TableIteratorOptions& options) const {
  if (blocks_.partition_count() == 0) return NewEmptyIterator();
  return std::make_unique<TableIterator>(&blocks_, options);
}

}  // namespace cambium::sstable
