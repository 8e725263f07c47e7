// TableIterator: a walk over the entries of a table, in both directions.
//
// A cursor of three: partition, block of the partition, entry of the block. It pins the frames of
// one index partition and one data block. A step inside a block is an index ± 1.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_ITERATOR_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_ITERATOR_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "base/internal_iterator.h"
#include "sstable/block_iterator.h"
#include "sstable/table/sequential_blocks.h"
#include "sstable/table/table_blocks.h"

namespace cambium::sstable {

// Thread-compatible.
class TableIterator final : public InternalIterator {
 public:
  // `blocks` must outlive it. `readahead_bytes` as TableIteratorOptions has it.
  TableIterator(const TableBlocks* blocks, CacheFill fill, size_t readahead_bytes);

  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, Tag tag) override;
  void SeekForPrev(std::string_view key, Tag tag) override;
  void Next() override;
  void Prev() override;
  absl::Status status() const override { return status_; }

 private:
  enum class Direction : uint8_t { kForward, kBackward };

  // Each answers false, and stands nowhere, at the end of the table or after an error.
  //
  // Goes to the first block that can hold an entry at or after `key`.
  bool MoveToBlockOf(std::string_view key);
  // Goes to the block beside this one.
  bool MoveToNeighbour(Direction direction);
  bool MoveToPartition(size_t partition);
  // Goes to block `index` of the partition.
  bool MoveToBlock(size_t index);
  // Takes the block iterator's entry for its own.
  void TakeEntry() { SetEntry(block_.key(), block_.tag(), block_.value()); }
  bool Fail(const absl::Status& status);

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

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_ITERATOR_H_
