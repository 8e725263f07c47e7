#include "manifest/manifest_format.h"

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "util/absl_view.h"
#include "util/byte_reader.h"
#include "util/checksum.h"
#include "util/coding.h"

namespace cambium::manifest {
namespace {

constexpr std::string_view kCurrentPrefix = "cambium-manifest 1 ";
constexpr size_t kCurrentDigits = 16;
constexpr size_t kHeaderChecksumOffset = 32;
static_assert(kHeaderChecksumOffset + sizeof(uint64_t) == kManifestHeaderSize);

// The checksum of CURRENT is bound to no number: its content names one.
std::string CurrentChecksum(std::string_view text) {
  return absl::StrCat(absl::Hex(Checksum64(text, 0, 0), absl::kZeroPad16));
}

wal::LogPosition PositionIn(FileNumber manifest, uint64_t offset) {
  return {ToInteger(manifest), offset};
}

}  // namespace

absl::Status Damaged(const std::string& path, uint64_t offset, const std::string& what) {
  return absl::DataLossError(absl::StrCat("read ", path, " at ", offset, ": ", what));
}

std::string EncodeManifestHeader(FileNumber number) {
  std::string header;
  AppendFixed64(&header, kManifestMagic);
  AppendFixed32(&header, kManifestFormatVersion);
  AppendFixed32(&header, 0);  // must understand
  AppendFixed32(&header, 0);  // may ignore
  AppendFixed32(&header, 0);
  AppendFixed64(&header, ToInteger(number));
  AppendFixed64(&header, Checksum64(header, ToInteger(number), 0));
  return header;
}

absl::Status CheckManifestHeader(std::string_view file, FileNumber number,
                                 const std::string& path) {
  ByteReader reader(file);
  const uint64_t magic = reader.ReadFixed64();
  const uint32_t version = reader.ReadFixed32();
  const uint32_t must_understand = reader.ReadFixed32();
  reader.ReadFixed32();  // may ignore
  reader.ReadFixed32();
  const uint64_t stored_number = reader.ReadFixed64();
  const uint64_t checksum = reader.ReadFixed64();
  if (!reader.ok()) {
    return Damaged(
        path, 0,
        absl::StrCat("found ", file.size(), " bytes, expected a header of ", kManifestHeaderSize));
  }
  if (magic != kManifestMagic) {
    return Damaged(
        path, 0,
        absl::StrCat("found magic ", absl::Hex(magic), ", expected ", absl::Hex(kManifestMagic)));
  }
  const uint64_t expected = Checksum64(file.substr(0, kHeaderChecksumOffset), ToInteger(number), 0);
  if (checksum != expected || stored_number != ToInteger(number)) {
    return Damaged(path, kHeaderChecksumOffset,
                   absl::StrCat("found header checksum ", absl::Hex(checksum), ", expected ",
                                absl::Hex(expected)));
  }
  if (version != kManifestFormatVersion || must_understand != 0) {
    return absl::UnimplementedError(absl::StrCat("read ", path, ": format version ", version,
                                                 " with features ", absl::Hex(must_understand),
                                                 ": written by a newer release"));
  }
  return absl::OkStatus();
}

std::string EncodeCurrent(FileNumber number) {
  std::string text(kCurrentPrefix);
  text.append(ManifestPath("", number));
  text.push_back(' ');
  text.append(CurrentChecksum(text));
  text.push_back('\n');
  return text;
}

absl::StatusOr<FileNumber> DecodeCurrent(std::string_view bytes, const std::string& path) {
  const size_t tail = kCurrentDigits + 1;
  if (bytes.size() < kCurrentPrefix.size() + tail || bytes.size() > kMaxCurrentSize ||
      bytes.back() != '\n') {
    return Damaged(path, 0,
                   absl::StrCat("found ", bytes.size(), " bytes, expected a manifest's name"));
  }
  const std::string_view text = bytes.substr(0, bytes.size() - tail);
  const std::string_view found = bytes.substr(text.size(), kCurrentDigits);
  const std::string expected = CurrentChecksum(text);
  if (found != expected) {
    return Damaged(path, text.size(),
                   absl::StrCat("found checksum ", ToAbsl(found), ", expected ", expected));
  }
  if (text.substr(0, kCurrentPrefix.size()) != kCurrentPrefix) {
    return absl::UnimplementedError(
        absl::StrCat("read ", path, ": a format that a newer release wrote"));
  }
  const auto name =
      ParseFileName(text.substr(kCurrentPrefix.size(), text.size() - kCurrentPrefix.size() - 1));
  if (!name || name->type != FileType::kManifest) {
    return Damaged(path, kCurrentPrefix.size(), "expected the name of a manifest");
  }
  return name->number;
}

void AppendRecord(const RecordPlace& place, wal::RecordKind kind, std::string_view payload,
                  uint64_t synced_up_to, std::string* out) {
  wal::RecordHeader header;
  header.payload_size = static_cast<uint32_t>(payload.size());
  header.kind = kind;
  header.first_sequence = place.edits_before;
  header.synced_up_to = PositionIn(place.manifest, synced_up_to);
  const size_t begin = out->size();
  out->append(wal::kRecordHeaderSize, '\0');
  wal::EncodeRecordHeader(header, out->data() + begin);
  out->append(payload);
  const uint32_t checksum = wal::RecordChecksum(std::string_view(*out).substr(begin),
                                                PositionIn(place.manifest, place.offset));
  StoreFixed32(out->data() + begin, checksum);
  out->resize(begin + wal::RecordSize(payload.size()), '\0');
}

std::optional<ManifestRecord> ReadRecord(std::string_view file, uint64_t offset,
                                         FileNumber number) {
  const std::string_view rest = file.substr(offset);
  if (rest.size() < wal::kRecordHeaderSize) return std::nullopt;
  const auto header = wal::DecodeRecordHeader(rest.data());
  if (!header || header->payload_size > rest.size() - wal::kRecordHeaderSize) return std::nullopt;
  const std::string_view bytes = rest.substr(0, wal::kRecordHeaderSize + header->payload_size);
  if (LoadFixed32(bytes.data()) != wal::RecordChecksum(bytes, PositionIn(number, offset))) {
    return std::nullopt;
  }
  ManifestRecord record;
  record.kind = header->kind;
  record.edits_before = header->first_sequence;
  record.synced_up_to = header->synced_up_to.offset;
  record.payload = bytes.substr(wal::kRecordHeaderSize);
  record.end = offset + wal::RecordSize(header->payload_size);
  return record;
}

}  // namespace cambium::manifest
