#include "engine/directory_listing.h"

#include <algorithm>
#include <optional>

#include "engine/file_identity.h"
#include "util/file_status.h"
#include "util/status_macros.h"

namespace cambium::engine {

std::vector<uint64_t> DirectoryListing::Logs() const {
  std::vector<uint64_t> logs;
  for (const auto& [name, file] : files) {
    if (file.type == FileType::kLog) logs.push_back(ToInteger(file.number));
  }
  return logs;
}

absl::StatusOr<DirectoryListing> ListFiles(const Storage& storage, uint64_t limit) {
  const absl::StatusOr<std::vector<std::string>> names = storage.fs()->ListDirectory(storage.path);
  if (!names.ok()) return ReadError(names.status());
  DirectoryListing listing;
  for (const std::string& name : *names) {
    const std::optional<ParsedFileName> parsed = ParseFileName(name);
    if (!parsed.has_value() || ToInteger(parsed->number) >= limit) continue;
    listing.files.emplace_back(name, *parsed);
    listing.largest_number = std::max(listing.largest_number, ToInteger(parsed->number));
  }
  return listing;
}

uint64_t FileNumberLimit(const manifest::ManifestState& state) {
  // An older release let a foreign file increase the counter beyond the usable range: then only the
  // existing files count.
  return std::min(state.next_file_number, kMaxFileNumber) + kFileNumberGap;
}

}  // namespace cambium::engine
