#include "sstable/table/table_properties.h"

#include "absl/strings/str_cat.h"
#include "util/byte_reader.h"
#include "util/coding.h"

namespace cambium::sstable {
namespace {

enum Tag : uint64_t {
  kEntries = 1,
  kTombstones = 2,
  kRawKeyBytes = 3,
  kRawValueBytes = 4,
  kDataBlocks = 5,
  kPartitions = 6,
  kSmallestKey = 7,
  kLargestKey = 8,
  kSmallestSequence = 9,
  kLargestSequence = 10,
  kLevel = 11,
  kComparatorName = 12,
  kFilterBitsPerKey = 13,
  kCompression = 16,
};

void AppendBytes(Tag tag, std::string_view value, std::string* out) {
  AppendVarint64(out, tag);
  AppendLengthPrefixed(out, value);
}

void AppendNumber(Tag tag, uint64_t value, std::string* out) {
  AppendVarint64(out, tag);
  AppendVarint64(out, VarintSize(value));
  AppendVarint64(out, value);
}

// Stores one record; false where its value does not decode.
bool Store(uint64_t tag, std::string_view value, TableProperties* properties) {
  ByteReader reader(value);
  const auto number = [&reader](uint64_t* to) {
    *to = reader.ReadVarint64();
    return reader.Finished();
  };
  switch (tag) {
    case kEntries:
      return number(&properties->entries);
    case kTombstones:
      return number(&properties->tombstones);
    case kRawKeyBytes:
      return number(&properties->raw_key_bytes);
    case kRawValueBytes:
      return number(&properties->raw_value_bytes);
    case kDataBlocks:
      return number(&properties->data_blocks);
    case kPartitions:
      return number(&properties->partitions);
    case kSmallestKey:
      properties->smallest_key = value;
      return true;
    case kLargestKey:
      properties->largest_key = value;
      return true;
    case kSmallestSequence:
      return number(&properties->smallest_sequence);
    case kLargestSequence:
      return number(&properties->largest_sequence);
    case kLevel:
      return number(&properties->level);
    case kComparatorName:
      properties->comparator_name = value;
      return true;
    case kFilterBitsPerKey:
      return number(&properties->filter_bits_per_key);
    case kCompression: {
      uint64_t compression = 0;
      if (!number(&compression)) return false;
      properties->compression = static_cast<Compression>(compression);
      return compression <= static_cast<uint64_t>(Compression::kZstd);
    }
    default:
      return true;
  }
}

}  // namespace

std::string TableProperties::Encode() const {
  std::string out;
  AppendNumber(kEntries, entries, &out);
  AppendNumber(kTombstones, tombstones, &out);
  AppendNumber(kRawKeyBytes, raw_key_bytes, &out);
  AppendNumber(kRawValueBytes, raw_value_bytes, &out);
  AppendNumber(kDataBlocks, data_blocks, &out);
  AppendNumber(kPartitions, partitions, &out);
  AppendBytes(kSmallestKey, smallest_key, &out);
  AppendBytes(kLargestKey, largest_key, &out);
  AppendNumber(kSmallestSequence, smallest_sequence, &out);
  AppendNumber(kLargestSequence, largest_sequence, &out);
  AppendNumber(kLevel, level, &out);
  AppendBytes(kComparatorName, comparator_name, &out);
  AppendNumber(kFilterBitsPerKey, filter_bits_per_key, &out);
  AppendNumber(kCompression, static_cast<uint64_t>(compression), &out);
  return out;
}

absl::StatusOr<TableProperties> TableProperties::Decode(std::string_view bytes) {
  TableProperties properties;
  ByteReader reader(bytes);
  uint64_t previous = 0;
  while (reader.ok() && !reader.AtEnd()) {
    const size_t offset = reader.offset();
    const uint64_t tag = reader.ReadVarint64();
    const std::string_view value = reader.ReadLengthPrefixed();
    if (!reader.ok() || tag <= previous || !Store(tag, value, &properties)) {
      return absl::DataLossError(absl::StrCat("malformed record at ", offset, " of ", bytes.size(),
                                              " bytes of properties"));
    }
    previous = tag;
  }
  return properties;
}

}  // namespace cambium::sstable
