// FileMetadata: what the tree knows of one SSTable, without opening it.
//
// A file has two numbers. `number` names it within the tree; `physical_number` names the file on
// disk that holds its bytes. They are equal for a file as it was written; a file that was split, or
// that shares its bytes with another, keeps bounds of its own over a physical file of several: the
// physical file may be removed once no live file names it.
#ifndef CAMBIUM_MANIFEST_FILE_METADATA_H_
#define CAMBIUM_MANIFEST_FILE_METADATA_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/keys.h"

namespace cambium::manifest {

// Plain data, shared as FileRef and never changed from then on.
struct FileMetadata {
  FileNumber number{0};
  FileNumber physical_number{0};
  uint64_t file_size = 0;
  // User keys, both inclusive.
  std::string smallest_key, largest_key;
  // Of the entries inside. 0 where sequence numbers were given up in the last level.
  SequenceNumber smallest_sequence = 0, largest_sequence = 0;
  uint64_t entries = 0, tombstones = 0;
  // Bytes of keys and values before encoding.
  uint64_t raw_bytes = 0;
  // Of the whole physical file (FileDigest).
  uint64_t digest = 0;
  // Empty, or what was found wrong in it (D15). A quarantined file stays in the tree, so that reads
  // of its range fail rather than answer with older data; nothing compacts it or removes it.
  std::string damage;

  bool quarantined() const { return !damage.empty(); }

  friend bool operator==(const FileMetadata&, const FileMetadata&) = default;
};

using FileRef = std::shared_ptr<const FileMetadata>;

inline uint64_t TotalBytes(std::span<const FileRef> files) {
  uint64_t bytes = 0;
  for (const FileRef& file : files) bytes += file->file_size;
  return bytes;
}

}  // namespace cambium::manifest

#endif  // CAMBIUM_MANIFEST_FILE_METADATA_H_
