#include "sstable/table/table_format.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "absl/strings/str_cat.h"
#include "util/byte_reader.h"
#include "util/checksum.h"
#include "util/coding.h"

namespace cambium::sstable {
namespace {

constexpr size_t kChecksumSize = 8;
constexpr size_t kCheckedTrailerSize = kTrailerSize - kChecksumSize;
constexpr size_t kCheckedFooterSize = kFooterSize - kChecksumSize;
constexpr size_t kReservedFooterSize = 32;

absl::Status ChecksumMismatch(uint64_t found, uint64_t expected) {
  return absl::DataLossError(absl::StrCat("checksum found 0x", absl::Hex(found, absl::kZeroPad16),
                                          ", expected 0x", absl::Hex(expected, absl::kZeroPad16)));
}

void AppendHandle(const BlockHandle& handle, std::string* out) {
  AppendFixed64(out, handle.offset);
  AppendFixed32(out, handle.size);
  AppendFixed32(out, 0);
}

BlockHandle ReadHandle(ByteReader* reader) {
  BlockHandle handle;
  handle.offset = reader->ReadFixed64();
  handle.size = reader->ReadFixed32();
  reader->ReadFixed32();
  return handle;
}

// A record: its id, and the field that has its value. Ids never change.
struct Field {
  uint64_t id;
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
constexpr uint64_t kCompressionId = 16;

// The records of TableProperties::expiring, which are there if it is not empty.
struct ExpiryField {
  uint64_t id;
  uint64_t ExpirySpan::*number;
};
constexpr ExpiryField kOldestExpiry{14, &ExpirySpan::oldest_micros};
constexpr ExpiryField kExpiryFields[] = {
    kOldestExpiry, {17, &ExpirySpan::newest_micros}, {18, &ExpirySpan::count}};

void AppendNumber(uint64_t id, uint64_t value, std::string* out) {
  AppendVarint64(out, id);
  AppendVarint64(out, VarintSize(value));
  AppendVarint64(out, value);
}

// Stores one record; returns false if its value cannot be decoded.
bool Store(uint64_t id, std::string_view value, TableProperties* properties) {
  ByteReader reader(value);
  for (const ExpiryField& field : kExpiryFields) {
    if (field.id != id) continue;
    properties->expiring.*field.number = reader.ReadVarint64();
    return reader.Finished();
  }
  for (const Field& field : kFields) {
    if (field.id != id) continue;
    if (field.bytes != nullptr) {
      properties->*field.bytes = value;
      return true;
    }
    properties->*field.number = reader.ReadVarint64();
    return reader.Finished();
  }
  if (id != kCompressionId) return true;
  const uint64_t compression = reader.ReadVarint64();
  properties->compression = static_cast<Compression>(compression);
  return reader.Finished() && compression <= static_cast<uint64_t>(Compression::kZstd);
}

}  // namespace

void AppendTrailer(const BlockTrailer& trailer, FileNumber number, uint64_t offset,
                   size_t block_begin, std::string* out) {
  out->push_back(static_cast<char>(trailer.codec));
  out->push_back(static_cast<char>(trailer.kind));
  AppendFixed16(out, 0);
  AppendFixed32(out, trailer.raw_size);
  const std::string_view checked = std::string_view(*out).substr(block_begin);
  AppendFixed64(out, Checksum64(checked, ToInteger(number), offset));
}

absl::StatusOr<BlockTrailer> CheckBlock(std::string_view block_and_trailer, BlockKind expected_kind,
                                        FileNumber number, uint64_t offset) {
  const size_t stored_size = block_and_trailer.size() - kTrailerSize;
  const char* const at = block_and_trailer.data() + stored_size;
  const uint64_t found = LoadFixed64(at + kCheckedTrailerSize);
  const uint64_t expected = Checksum64(
      block_and_trailer.substr(0, stored_size + kCheckedTrailerSize), ToInteger(number), offset);
  if (found != expected) return ChecksumMismatch(found, expected);

  BlockTrailer trailer;
  trailer.codec = static_cast<Compression>(at[0]);
  trailer.kind = static_cast<BlockKind>(at[1]);
  trailer.raw_size = LoadFixed32(at + 4);
  if (trailer.kind != expected_kind) {
    return absl::DataLossError(absl::StrCat("found a ", BlockKindName(trailer.kind),
                                            ", expected a ", BlockKindName(expected_kind)));
  }
  switch (trailer.codec) {
    case Compression::kNone:
      if (trailer.raw_size == stored_size) return trailer;
      return absl::DataLossError(
          absl::StrCat("raw size found ", trailer.raw_size, ", expected ", stored_size));
    case Compression::kZstd:
      if (trailer.raw_size <= kMaxCompressedRawSize) return trailer;
      return absl::DataLossError(absl::StrCat("raw size found ", trailer.raw_size,
                                              ", expected at most ", kMaxCompressedRawSize));
  }
  return absl::UnimplementedError(
      absl::StrCat("found codec ", static_cast<int>(trailer.codec), ", expected 0 or 1"));
}

std::string Footer::Encode(uint64_t offset) const {
  std::string out;
  out.reserve(kFooterSize);
  AppendFixed64(&out, kTableMagic);
  AppendFixed32(&out, kTableFormatVersion);
  AppendFixed32(&out, static_cast<uint32_t>(kFooterSize));
  AppendFixed64(&out, must_understand);
  AppendFixed64(&out, may_ignore);
  AppendFixed64(&out, ToInteger(number));
  AppendHandle(top_index, &out);
  AppendHandle(properties, &out);
  AppendHandle(range_deletes, &out);
  out.append(kReservedFooterSize, '\0');
  AppendFixed64(&out, Checksum64(out, ToInteger(number), offset));
  return out;
}

absl::StatusOr<Footer> Footer::Decode(std::string_view bytes, uint64_t offset) {
  ByteReader reader(bytes);
  const uint64_t magic = reader.ReadFixed64();
  const uint32_t version = reader.ReadFixed32();
  const uint32_t size = reader.ReadFixed32();
  Footer footer;
  footer.must_understand = reader.ReadFixed64();
  footer.may_ignore = reader.ReadFixed64();
  footer.number = FileNumber{reader.ReadFixed64()};
  footer.top_index = ReadHandle(&reader);
  footer.properties = ReadHandle(&reader);
  footer.range_deletes = ReadHandle(&reader);
  reader.ReadBytes(kReservedFooterSize);
  const uint64_t found = reader.ReadFixed64();
  if (!reader.Finished()) return absl::DataLossError("footer cut short");
  if (magic != kTableMagic) {
    return absl::DataLossError(absl::StrCat("magic found 0x", absl::Hex(magic, absl::kZeroPad16),
                                            ", expected 0x",
                                            absl::Hex(kTableMagic, absl::kZeroPad16)));
  }
  const uint64_t expected =
      Checksum64(bytes.substr(0, kCheckedFooterSize), ToInteger(footer.number), offset);
  if (found != expected) return ChecksumMismatch(found, expected);
  if (version != kTableFormatVersion || size != kFooterSize) {
    return absl::UnimplementedError(
        absl::StrCat("format version found ", version, ", expected ", kTableFormatVersion));
  }
  if ((footer.must_understand & ~kHasRangeDeletes) != 0) {
    return absl::UnimplementedError(
        absl::StrCat("features found 0x", absl::Hex(footer.must_understand),
                     ", expected none but 0x", absl::Hex(kHasRangeDeletes)));
  }
  const bool has_range_deletes = (footer.must_understand & kHasRangeDeletes) != 0;
  if (has_range_deletes != (footer.range_deletes.size != 0) ||
      (footer.top_index.size == 0 && !has_range_deletes)) {
    return absl::DataLossError(absl::StrCat(
        "features found 0x", absl::Hex(footer.must_understand), " with ", footer.range_deletes.size,
        " bytes of range deletes and ", footer.top_index.size, " of top index"));
  }
  return footer;
}

void TableProperties::Count(std::string_view key, Trailer trailer, std::string_view value) {
  const SequenceNumber sequence = TrailerSequence(trailer);
  if (entries == 0) {
    smallest_key = key;
    smallest_sequence = sequence;
  }
  const Kind kind = TrailerKind(trailer);
  ++entries;
  if (kind == Kind::kValueWithExpiry) {
    expiring.Add(DecodeExpiring(value).value_or(ExpiringValue()).expiry_micros);
  }
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
      AppendNumber(field.id, this->*field.number, &out);
    } else {
      AppendVarint64(&out, field.id);
      AppendLengthPrefixed(&out, this->*field.bytes);
    }
  }
  const bool expires = expiring.count != 0;
  if (expires) AppendNumber(kOldestExpiry.id, expiring.*kOldestExpiry.number, &out);
  AppendNumber(kCompressionId, static_cast<uint64_t>(compression), &out);
  if (!expires) return out;
  for (const ExpiryField& field : std::span(kExpiryFields).subspan(1)) {
    AppendNumber(field.id, expiring.*field.number, &out);
  }
  return out;
}

absl::StatusOr<TableProperties> TableProperties::Decode(std::string_view bytes) {
  TableProperties properties;
  ByteReader reader(bytes);
  uint64_t previous = 0;
  while (reader.ok() && !reader.AtEnd()) {
    const size_t offset = reader.offset();
    const uint64_t id = reader.ReadVarint64();
    const std::string_view value = reader.ReadLengthPrefixed();
    if (!reader.ok() || id <= previous || !Store(id, value, &properties)) {
      return absl::DataLossError(absl::StrCat("malformed record at ", offset, " of ", bytes.size(),
                                              " bytes of properties"));
    }
    previous = id;
  }
  return properties;
}

}  // namespace cambium::sstable
