// DirectoryListing: the files of a database's directory, classified by their names.
#ifndef CAMBIUM_ENGINE_DIRECTORY_LISTING_H_
#define CAMBIUM_ENGINE_DIRECTORY_LISTING_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/file_names.h"
#include "engine/state/storage.h"
#include "manifest/manifest_state.h"

namespace cambium::engine {

// Plain data.
struct DirectoryListing {
  std::vector<std::pair<std::string, ParsedFileName>> files;  // sorted by name
  uint64_t largest_number = 0;

  // Returns the numbers of the log segments.
  std::vector<uint64_t> Logs() const;
};

// Returns the names that may belong to the database: those with a number below `limit`.
absl::StatusOr<DirectoryListing> ListFiles(const Storage& storage, uint64_t limit);

// Returns a number such that no file of a database in that state has it or a greater one.
uint64_t FileNumberLimit(const manifest::ManifestState& state);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_DIRECTORY_LISTING_H_
