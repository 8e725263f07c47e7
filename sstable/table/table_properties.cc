#include "sstable/table/table_properties.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "util/byte_reader.h"
#include "util/coding.h"

namespace cambium::sstable {
namespace {

// A record: its tag, and the one of the two that its value is. Tags never change.
struct Field {
  uint64_t tag;
  uint64_t TableProperties::*number;
  std::string TableProperties::*bytes = nullptr;
};
constexpr Field kFields[] = {
    {1, &TableProperties::entries},
    {2, &TableProperties::tombstones},
    {3, &TableProperties::raw_key_bytes},
    {4, &TableProperties::raw_value_bytes},
    {5, &TableProperties::data_blocks},
    {6, &TableProperties::partitions},
    {7, nullptr, &TableProperties::smallest_key},
    {8, nullptr, &TableProperties::largest_key},
    {9, &TableProperties::smallest_sequence},
    {10, &TableProperties::largest_sequence},
    {11, &TableProperties::level},
    {12, nullptr, &TableProperties::comparator_name},
    {13, &TableProperties::filter_bits_per_key},
};
constexpr uint64_t kCompressionTag = 16;

void AppendNumber(uint64_t tag, uint64_t value, std::string* out) {
  AppendVarint64(out, tag);
  AppendVarint64(out, VarintSize(value));
  AppendVarint64(out, value);
}

// Stores one record; false where its value does not decode.
bool Store(uint64_t tag, std::string_view value, TableProperties* properties) {
  ByteReader reader(value);
  for (const Field& field : kFields) {
    if (field.tag != tag) continue;
    if (field.bytes != nullptr) {
      properties->*field.bytes = value;
      return true;
    }
    properties->*field.number = reader.ReadVarint64();
    return reader.Finished();
  }
  if (tag != kCompressionTag) return true;
  const uint64_t compression = reader.ReadVarint64();
  properties->compression = static_cast<Compression>(compression);
  return reader.Finished() && compression <= static_cast<uint64_t>(Compression::kZstd);
}

}  // namespace

void TableProperties::Count(std::string_view key, Tag tag, std::string_view value) {
  const SequenceNumber sequence = TagSequence(tag);
  if (entries == 0) {
    smallest_key = key;
    smallest_sequence = sequence;
  }
  const Kind kind = TagKind(tag);
  ++entries;
  tombstones += kind == Kind::kDelete || kind == Kind::kSingleDelete ? 1 : 0;
  raw_key_bytes += key.size();
  raw_value_bytes += value.size();
  smallest_sequence = std::min(smallest_sequence, sequence);
  largest_sequence = std::max(largest_sequence, sequence);
}

std::string TableProperties::Encode() const {
  std::string out;
  for (const Field& field : kFields) {
    if (field.bytes == nullptr) {
      AppendNumber(field.tag, this->*field.number, &out);
    } else {
      AppendVarint64(&out, field.tag);
      AppendLengthPrefixed(&out, this->*field.bytes);
    }
  }
  AppendNumber(kCompressionTag, static_cast<uint64_t>(compression), &out);
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
