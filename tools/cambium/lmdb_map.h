// Computes the size of the memory map that LMDB needs for the records of a dump.
#ifndef CAMBIUM_TOOLS_CAMBIUM_LMDB_MAP_H_
#define CAMBIUM_TOOLS_CAMBIUM_LMDB_MAP_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace cambium::tool {

// Computes the mapsize= of a dump. mdb_load reserves that many bytes of address space, and fails
// with MDB_MAP_FULL if the database outgrows them; the file grows only as it is written, so the
// size is generous. Confined to one thread.
class LmdbMap {
 public:
  // Counts a record of the dump. Returns Unimplemented if LMDB cannot store it.
  absl::Status Add(std::string_view key, std::string_view value);
  uint64_t Bytes() const;

 private:
  uint64_t leaf_bytes_ = 0;      // of the records in the pages of the tree
  uint64_t overflow_bytes_ = 0;  // of pages that contain one long value
};

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_LMDB_MAP_H_
