#include "base/file_names.h"

#include <charconv>
#include <cstdio>

namespace cambium {
namespace {

constexpr std::string_view kManifestPrefix = "MANIFEST-";
constexpr std::string_view kTableSuffix = ".sst";
constexpr std::string_view kLogSuffix = ".log";
constexpr std::string_view kTemporarySuffix = ".tmp";

// Returns at least six digits, so that a listing is sorted.
std::string Digits(FileNumber number) {
  char digits[24];
  const int size = std::snprintf(digits, sizeof(digits), "%06llu",
                                 static_cast<unsigned long long>(ToInteger(number)));
  return std::string(digits, static_cast<size_t>(size));
}

// Parses a name of that type; the number must be written exactly as Digits() does.
std::optional<ParsedFileName> Numbered(FileType type, std::string_view digits) {
  uint64_t number = 0;
  const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), number).ec;
  if (error != std::errc() || Digits(FileNumber{number}) != digits) return std::nullopt;
  return ParsedFileName{type, FileNumber{number}};
}

}  // namespace

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && path.back() != '/') path.push_back('/');
  path.append(name);
  return path;
}

std::string CurrentPath(std::string_view directory) { return JoinPath(directory, "CURRENT"); }
std::string LockPath(std::string_view directory) { return JoinPath(directory, "LOCK"); }

std::string ManifestPath(std::string_view directory, FileNumber number) {
  return JoinPath(directory, std::string(kManifestPrefix) + Digits(number));
}
std::string TablePath(std::string_view directory, FileNumber number) {
  return JoinPath(directory, Digits(number).append(kTableSuffix));
}
std::string LogPath(std::string_view directory, FileNumber number) {
  return JoinPath(directory, Digits(number).append(kLogSuffix));
}
std::string TemporaryPath(std::string_view path) {
  return std::string(path).append(kTemporarySuffix);
}

std::optional<ParsedFileName> ParseFileName(std::string_view name) {
  if (name == "CURRENT") return ParsedFileName{FileType::kCurrent};
  if (name == "LOCK") return ParsedFileName{FileType::kLock};
  if (name.ends_with(kTemporarySuffix)) {
    // Only temporaries of our own file names.
    std::optional<ParsedFileName> inner =
        ParseFileName(name.substr(0, name.size() - kTemporarySuffix.size()));
    if (!inner.has_value() || inner->type == FileType::kTemporary) return std::nullopt;
    inner->type = FileType::kTemporary;
    return inner;
  }
  if (name.starts_with(kManifestPrefix)) {
    return Numbered(FileType::kManifest, name.substr(kManifestPrefix.size()));
  }
  if (name.ends_with(kTableSuffix)) {
    return Numbered(FileType::kTable, name.substr(0, name.size() - kTableSuffix.size()));
  }
  if (name.ends_with(kLogSuffix)) {
    return Numbered(FileType::kLog, name.substr(0, name.size() - kLogSuffix.size()));
  }
  return std::nullopt;
}

}  // namespace cambium
