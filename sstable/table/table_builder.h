// TableBuilder: writes one SSTable, front to back, from sorted entries.
//
//   data blocks | filter partitions | index partitions | range deletes | top index | properties |
//   footer
//
// (docs/format/sstable.md). Data blocks are written to the file in large appends when they are
// full; Finish() writes the filters and indexes. An index partition covers up to
// kBlocksPerPartition data blocks, and so does the filter partition next to it.
//
// States:   open ── Add ──▶ open ── Finish ──▶ finished
//             └── an error ──▶ failed     (every later call returns the first error) Destroying a
//             builder that is not finished abandons the file; the caller removes it.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_BUILDER_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_BUILDER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "cambium/file_system.h"
#include "cambium/options.h"
#include "sstable/block/block_builder.h"
#include "sstable/block/filter_partition.h"
#include "sstable/block/index_partition.h"
#include "sstable/table/table_format.h"

namespace cambium {
struct TombstoneFragment;
}

namespace cambium::sstable {

struct TableBuilderOptions {
  KeyOrder order{BytewiseComparator()};
  Compression compression = Compression::kNone;
  int compression_level = 1;
  // 0: no filter. Ignored if the order treats different bytes as equal.
  double filter_bits_per_key = 10;
  // Raw bytes at which a data block is finished.
  size_t block_size = kDataBlockSize;
  // Part of every checksum: a reader must expect the same number.
  FileNumber number{0};
  // Used in messages.
  std::string path;
  // Stored in the properties.
  int level = 0;
};

// The result of the builder.
struct TableSummary : TableProperties {
  uint64_t file_size = 0;
  uint64_t digest = 0;  // of the whole file (FileDigest)
};

// Confined to one thread at a time.
class TableBuilder {
 public:
  TableBuilder(const TableBuilderOptions& options, std::unique_ptr<WritableFile> file);
  TableBuilder(const TableBuilder&) = delete;
  TableBuilder& operator=(const TableBuilder&) = delete;
  ~TableBuilder();

  // Adds an entry, which must be after all earlier ones. State: open. Returns Internal (D18) if it
  // is not after the last one in the order of entries, InvalidArgument if key or value exceed the
  // limits, or an error of the file. Copies the bytes.
  absl::Status Add(std::string_view key, Trailer trailer, std::string_view value);

  // Adds the table's range tombstones: fragments that do not overlap, ascending, whose ends have
  // keys. State: open. Call it at most once.
  absl::Status SetRangeDeletes(std::span<const TombstoneFragment> fragments);

  // State: any. Returns the approximate size of the file (within a block) if it were finished now.
  uint64_t EstimatedFileSize() const;
  // State: any.
  uint64_t entries() const { return properties_.entries; }

  // Writes the rest, and syncs and closes the file. State: open. Returns FailedPrecondition, and
  // writes nothing, for a table without entries and range tombstones.
  absl::StatusOr<TableSummary> Finish();

 private:
  class BlockWriter;
  // A partition whose filter and index are written after the data.
  struct WaitingPartition {
    std::string separator, filter, index;
    uint32_t block_count;
  };

  absl::Status CheckAdd(std::string_view key, Trailer trailer, std::string_view value) const;
  // Returns the last key of the current block, or of the previous one.
  std::string_view LastKey() const { return data_.empty() ? last_key_ : data_.last_key(); }
  // Writes the current block.
  absl::Status CloseBlock();
  // Adds the last written block to the index, and finishes the partition if it is full.
  void IndexLastBlock(std::string_view separator);
  void ClosePartition(std::string_view separator);
  // Returns the shortest key that separates the last block from `next`.
  std::string SeparatorBefore(std::string_view next) const;
  absl::Status WriteEnd();

  const TableBuilderOptions options_;
  const std::unique_ptr<BlockWriter> writer_;
  BlockBuilder data_;
  IndexBuilder index_;
  const std::unique_ptr<FilterBuilder> filter_;  // null: no filter
  std::vector<WaitingPartition> waiting_;
  uint64_t waiting_bytes_ = 0;
  TableProperties properties_;
  std::string last_key_;      // of the last written block
  Trailer last_trailer_ = 0;  // of the last added entry
  BlockHandle last_handle_;   // of a block that is not in the index yet; size 0: none
  uint8_t last_flags_ = 0;
  std::string compressed_;
  std::string range_deletes_;  // the block; empty: none
  absl::Status ended_;         // not ok: the reason why nothing more can be added
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_BUILDER_H_
