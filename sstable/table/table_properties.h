// TableProperties: what an SSTable says about itself. Stored as one block of records, ascending by
// tag (docs/format/sstable.md, "Properties"); a tag that a reader does not know is skipped: what
// must be understood has a bit in the footer instead.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_PROPERTIES_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_PROPERTIES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/keys.h"
#include "cambium/options.h"

namespace cambium::sstable {

// Plain data; thread-compatible.
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

  // Takes in the next entry of the table. The largest key is left to who knows the last one.
  void Count(std::string_view key, Tag tag, std::string_view value);

  std::string Encode() const;
  // DataLoss, without a file name, where the bytes are no properties of a table.
  static absl::StatusOr<TableProperties> Decode(std::string_view bytes);
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_PROPERTIES_H_
