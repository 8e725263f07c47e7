// TableBuilder: writes one SSTable, front to back, from entries in order.
//
//   data blocks | filter partitions | index partitions | top index | properties | footer
//
// (docs/format/sstable.md). Data blocks leave for the file in large appends as they fill; filters
// and indexes are kept and written by Finish(). An index partition covers up to
// kBlocksPerPartition data blocks, and so does the filter partition beside it.
//
// States:   open ── Add ──▶ open ── Finish ──▶ finished
//             └── an error ──▶ failed     (every later call answers the first error)
// Destroying a builder that is not finished abandons the file; the caller removes it.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_BUILDER_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_BUILDER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "base/limits.h"
#include "cambium/file_system.h"
#include "cambium/options.h"
#include "sstable/block/block_builder.h"
#include "sstable/block/filter_partition.h"
#include "sstable/block/index_partition.h"
#include "sstable/table/table_format.h"

namespace cambium::sstable {

struct TableBuilderOptions {
  KeyOrder order{BytewiseComparator()};
  Compression compression = Compression::kNone;
  int compression_level = 1;
  // 0: no filter. Not used where the order lets different bytes be equal.
  double filter_bits_per_key = 10;
  // Raw bytes at which a data block is closed.
  size_t block_size = kDataBlockSize;
  // Bound into every checksum: a reader must expect the same number.
  FileNumber number{0};
  // For messages.
  std::string path;
  // For the properties.
  int level = 0;
};

// What was written.
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

  // Adds an entry after all that were added before. Open only. Internal (D18) where it does not
  // come after the last one in the order of entries; InvalidArgument past the limits on key and
  // value; else an error of the file. The bytes are copied.
  absl::Status Add(std::string_view key, Trailer trailer, std::string_view value);

  // Any state. Bytes of the file if it were finished now, within a block or so.
  uint64_t EstimatedFileSize() const;
  // Any state.
  uint64_t entries() const { return properties_.entries; }

  // Writes the rest, syncs and closes the file. Open only; FailedPrecondition for a table without
  // entries: none is written.
  absl::StatusOr<TableSummary> Finish();

 private:
  class BlockWriter;
  // A partition whose filter and index wait for the end of the data.
  struct WaitingPartition {
    std::string separator, filter, index;
    uint32_t block_count;
  };

  absl::Status CheckAdd(std::string_view key, Trailer trailer, std::string_view value) const;
  // Where the block in the making ends, or the one before it.
  std::string_view LastKey() const { return data_.empty() ? last_key_ : data_.last_key(); }
  // Writes the block in the making.
  absl::Status CloseBlock();
  // Enters the block written last into the index, and closes the partition where it is full.
  void IndexLastBlock(std::string_view separator);
  void ClosePartition(std::string_view separator);
  // The shortest key that parts the last block from `next`.
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
  std::string last_key_;      // of the block written last
  Trailer last_trailer_ = 0;  // of the entry added last
  BlockHandle last_handle_;   // of a block that the index has not yet; size 0: none
  uint8_t last_flags_ = 0;
  std::string compressed_;
  absl::Status ended_;  // not ok: why nothing more can be added
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_BUILDER_H_
