// The structure of an SSTable: block trailers, properties, and the footer.
//
// Every block begins at a multiple of 8 and its trailer follows immediately; the file ends with the
// footer. Format: docs/format/sstable.md.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_FORMAT_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/expiry.h"
#include "base/keys.h"
#include "base/limits.h"
#include "cambium/options.h"
#include "sstable/block/block_format.h"

namespace cambium::sstable {

inline constexpr uint64_t kTableMagic = 0x656c'6261'7443'4243;  // "CBCtable" in the file
inline constexpr uint32_t kTableFormatVersion = 1;
inline constexpr size_t kTrailerSize = 16;
inline constexpr size_t kFooterSize = 128;
inline constexpr size_t kBlockAlignment = 8;
// Size of an empty block in a file: bounds the number of blocks by the file's size.
inline constexpr size_t kMinBlockFootprint = kTrailerSize;

// Larger blocks are stored raw, so a reader never expands a few bytes to more than this (D17).
inline constexpr size_t kMaxCompressedRawSize = size_t{32} << 20;
// A data block contains at least one entry and is finished at or above its target size; the largest
// value and key and a block before them fit.
inline constexpr uint64_t kMaxRawBlockSize = kMaxValueSize + (uint64_t{64} << 20);
static_assert(kMaxRawBlockSize < UINT32_MAX);

constexpr uint64_t AlignBlock(uint64_t offset) {
  return (offset + kBlockAlignment - 1) & ~uint64_t{kBlockAlignment - 1};
}

// The contents of a trailer, except its checksum.
struct BlockTrailer {
  Compression codec = Compression::kNone;
  BlockKind kind = BlockKind::kData;
  uint32_t raw_size = 0;
};

// Appends the trailer of the block that extends from `block_begin` to the end of `out`, and that
// will be at `offset` of the file.
void AppendTrailer(const BlockTrailer& trailer, FileNumber number, uint64_t offset,
                   size_t block_begin, std::string* out);

// Checks a block read from `offset` together with its trailer (at least kTrailerSize bytes).
// Returns DataLoss with the found and expected values, without the file's name.
absl::StatusOr<BlockTrailer> CheckBlock(std::string_view block_and_trailer, BlockKind expected_kind,
                                        FileNumber number, uint64_t offset);

// Plain data.
struct Footer {
  // A feature that readers must understand: the table has range tombstones.
  static constexpr uint64_t kHasRangeDeletes = 1;

  uint64_t must_understand = 0;
  uint64_t may_ignore = 0;
  FileNumber number{0};
  BlockHandle top_index;  // size 0: the table has no entries
  BlockHandle properties;
  BlockHandle range_deletes;  // size 0: none

  // Returns the kFooterSize bytes of the footer at `offset`.
  std::string Encode(uint64_t offset) const;
  // Returns DataLoss if the bytes are not an intact footer of that place, and Unimplemented for a
  // version or a feature of a later release; without the file's name.
  static absl::StatusOr<Footer> Decode(std::string_view bytes, uint64_t offset);
};

// The metadata in a table: a block of records, sorted by ascending id (docs/format/sstable.md,
// "Properties"). A reader skips unknown ids: a feature that readers must understand has a bit in
// the footer instead. Plain data; thread-compatible.
struct TableProperties {
  uint64_t entries = 0;
  uint64_t tombstones = 0;
  uint64_t raw_key_bytes = 0;
  uint64_t raw_value_bytes = 0;
  uint64_t data_blocks = 0;
  uint64_t partitions = 0;
  std::string smallest_key, largest_key;  // user keys, inclusive
  SequenceNumber smallest_sequence = 0, largest_sequence = 0;
  uint64_t level = 0;
  std::string comparator_name;
  uint64_t filter_bits_per_key = 0;
  Compression compression = Compression::kNone;
  ExpirySpan expiring;

  // Counts the next entry of the table. Does not set the largest key, which the caller knows at the
  // end.
  void Count(std::string_view key, Trailer trailer, std::string_view value);

  std::string Encode() const;
  // Returns DataLoss, without a file name, if the bytes are not properties of a table.
  static absl::StatusOr<TableProperties> Decode(std::string_view bytes);
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_FORMAT_H_
