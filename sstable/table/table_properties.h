// TableProperties: what an SSTable says about itself.
//
// Stored as one block of records `varint tag | varint length | value`, ascending by tag; a tag that
// a reader does not know is skipped (what must be understood has a bit in the footer instead).
// Integers are varints. Numbers are stored in files and never change.
//
//   tag  value                               tag  value
//    1   entries                              9   smallest sequence number
//    2   tombstones                          10   largest sequence number
//    3   raw key bytes                       11   level at build
//    4   raw value bytes                     12   comparator name
//    5   data blocks                         13   whole bits of filter a key (0: no filter)
//    6   partitions                          14   oldest expiry (reserved)
//    7   smallest key                        15   blob references (reserved)
//    8   largest key                         16   compression of the data blocks
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

  std::string Encode() const;
  // DataLoss, without a file name, where the bytes are no properties of a table.
  static absl::StatusOr<TableProperties> Decode(std::string_view bytes);
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_PROPERTIES_H_
