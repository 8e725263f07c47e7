// The bytes of a manifest and of CURRENT: docs/format/manifest.md has them all.
//
// A record is framed as a record of the log (wal/log_format.h): the manifest's number stands for
// the segment's, the count of edits before it for the sequence number. Kinds: kFull, an encoded
// VersionEdit; kPad, a seal, no payload.
#ifndef CAMBIUM_MANIFEST_MANIFEST_FORMAT_H_
#define CAMBIUM_MANIFEST_MANIFEST_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/keys.h"
#include "wal/log_format.h"

namespace cambium::manifest {

inline constexpr uint64_t kManifestMagic = 0x314e414d4d424d43;  // "CMBMMAN1" in the file
inline constexpr uint32_t kManifestFormatVersion = 1;
inline constexpr size_t kManifestHeaderSize = 40;
static_assert(kManifestHeaderSize % wal::kRecordAlignment == 0);

// Longer than any CURRENT that was ever written.
inline constexpr size_t kMaxCurrentSize = 128;

std::string EncodeManifestHeader(FileNumber number);
// DataLoss or Unimplemented; `path` is for the message.
absl::Status CheckManifestHeader(std::string_view file, FileNumber number, const std::string& path);

std::string EncodeCurrent(FileNumber number);
absl::StatusOr<FileNumber> DecodeCurrent(std::string_view bytes, const std::string& path);

// DataLoss that names the file, the place and what was found there.
absl::Status Damaged(const std::string& path, uint64_t offset, const std::string& what);

// Where a record stands: in which manifest, behind how many bytes and edits. Plain data.
struct RecordPlace {
  FileNumber manifest{0};
  uint64_t offset = 0;
  uint64_t edits_before = 0;
};

// Appends a record to `out`; the file is known to be synced up to `synced_up_to`.
void AppendRecord(const RecordPlace& place, wal::RecordKind kind, std::string_view payload,
                  uint64_t synced_up_to, std::string* out);

// Plain data; `payload` points into the bytes it was read from.
struct ManifestRecord {
  wal::RecordKind kind = wal::RecordKind::kFull;
  uint64_t edits_before = 0;
  uint64_t synced_up_to = 0;
  std::string_view payload;
  uint64_t end = 0;  // where the next record begins
};

// The record at `offset` of the manifest `file`; nullopt where none checks.
std::optional<ManifestRecord> ReadRecord(std::string_view file, uint64_t offset, FileNumber number);

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_MANIFEST_FORMAT_H_
