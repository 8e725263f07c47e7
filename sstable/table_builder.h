// TableBuilder: writes one SSTable, front to back, from entries in order.
//
//   data blocks | filter partitions | index partitions | top index | properties | footer
//
// (docs/format/sstable.md). Data blocks leave for the file in large appends as they fill; filters
// and indexes are kept and written by Finish(). An index partition covers up to
// kBlocksPerPartition data blocks, and so does the filter partition beside it.
//
// States:   open ── Add ──▶ open ── Finish ──▶ finished
//             └── any error ──▶ failed     (every later call answers the first error)
// Destroying a builder that is not finished abandons the file; the caller removes it.
#ifndef CAMBIUM_SSTABLE_TABLE_BUILDER_H_
#define CAMBIUM_SSTABLE_TABLE_BUILDER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "base/limits.h"
#include "cambium/file_system.h"
#include "cambium/options.h"

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
struct TableSummary {
  uint64_t file_size = 0;
  uint64_t entries = 0;
  uint64_t tombstones = 0;
  uint64_t raw_key_bytes = 0;
  uint64_t raw_value_bytes = 0;
  uint64_t data_blocks = 0;
  std::string smallest_key, largest_key;  // user keys, inclusive
  SequenceNumber smallest_sequence = 0, largest_sequence = 0;
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
  absl::Status Add(std::string_view key, Tag tag, std::string_view value);
  // The same for a caller that has the key's hash: HashKey(key), not looked at where the order's
  // comparator_identical() is false.
  absl::Status Add(std::string_view key, Tag tag, std::string_view value, uint64_t hash);

  // Any state. Bytes of the file if it were finished now, within a block or so.
  uint64_t EstimatedFileSize() const;
  // Any state.
  uint64_t entries() const;

  // Writes the rest, syncs and closes the file. Open only; FailedPrecondition for a table without
  // entries: none is written.
  absl::StatusOr<TableSummary> Finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_BUILDER_H_
