#include "engine/file_identity.h"

#include <algorithm>
#include <string_view>

#include "manifest/manifest_log.h"
#include "sstable/table/table_format.h"
#include "wal/log_format.h"

namespace cambium::engine {
namespace {

// A prefix of the file that contains every header, and is enough to distinguish text.
constexpr uint64_t kStartBytes = 512;

// Returns up to `size` bytes at `offset`; fewer if the file ends or cannot be read.
std::string ReadPart(const RandomAccessFile& file, uint64_t offset, uint64_t size) {
  std::string bytes(size, '\0');
  ReadRequest request;
  request.offset = offset;
  request.buffer = bytes.data();
  request.size = size;
  file.Read({&request, 1});
  bytes.resize(request.status.ok() ? request.bytes_read : 0);
  return bytes;
}

bool IsText(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x09 && c != 0x7f; });
}

// Returns the identity that the content proves; nullopt if it proves nothing.
std::optional<FileIdentity> ContentSays(const RandomAccessFile& file, uint64_t size,
                                        std::string_view start, const ParsedFileName& name,
                                        const KnownDatabase& known) {
  if (name.type == FileType::kLog) {
    const wal::DecodedSegmentHeader decoded =
        wal::DecodeSegmentHeader(start, ToInteger(name.number));
    if (decoded.state == wal::DecodedSegmentHeader::State::kDamaged) return std::nullopt;
    const bool ours = !known.id.has_value() || decoded.header.uuid == *known.id;
    return ours ? FileIdentity::kOurs : FileIdentity::kForeign;
  }
  if (name.type == FileType::kManifest) {
    if (!manifest::HasManifestHeader(start, name.number)) return std::nullopt;
    return FileIdentity::kOurs;
  }
  if (size < sstable::kFooterSize) return std::nullopt;
  const uint64_t footer_offset = size - sstable::kFooterSize;
  const absl::StatusOr<sstable::Footer> footer =
      sstable::Footer::Decode(ReadPart(file, footer_offset, sstable::kFooterSize), footer_offset);
  if (!footer.ok() || footer->number != name.number) return std::nullopt;
  return FileIdentity::kOurs;
}

}  // namespace

FileIdentity Identify(FileSystem* file_system, const std::string& path, const ParsedFileName& file,
                      const KnownDatabase& known) {
  if (file.type == FileType::kCurrent || file.type == FileType::kLock) return FileIdentity::kOurs;
  if (file.type == FileType::kTemporary) {
    // Only CURRENT is ever created through a temporary file.
    const bool ours = path.ends_with(TemporaryPath(CurrentPath("")));
    return ours ? FileIdentity::kOurs : FileIdentity::kForeign;
  }
  const uint64_t number = ToInteger(file.number);
  if (number >= known.limit) return FileIdentity::kForeign;
  const auto opened = file_system->OpenRandomAccess(path);
  if (!opened.ok()) return FileIdentity::kUnreadable;
  const absl::StatusOr<uint64_t> size = (*opened)->Size();
  if (!size.ok()) return FileIdentity::kUnreadable;
  const std::string start = ReadPart(**opened, 0, std::min(*size, kStartBytes));
  if (start.empty() && *size > 0) return FileIdentity::kUnreadable;
  if (start.find_first_not_of('\0') == std::string::npos) return FileIdentity::kOurs;
  // The first bytes of a manifest may look like text; zeros follow them.
  const bool too_short = file.type == FileType::kManifest && start.size() < 12;
  const bool may_be_text = !too_short && IsText(start);
  const bool torn = number >= known.session_start && !may_be_text;
  return ContentSays(**opened, *size, start, file, known)
      .value_or(torn ? FileIdentity::kTorn : FileIdentity::kForeign);
}

KnownDatabase KnownFromCurrent(FileSystem* file_system, const std::string& directory) {
  KnownDatabase known;
  const absl::StatusOr<FileNumber> manifest = manifest::ReadCurrent(file_system, directory);
  if (!manifest.ok()) return known;
  known.limit = ToInteger(*manifest) + kFileNumberGap;
  return known;
}

}  // namespace cambium::engine
