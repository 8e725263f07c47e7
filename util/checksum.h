// Checksums and hashes: XXH3 (https://github.com/Cyan4973/xxHash, XXH3 64-bit).
#ifndef CAMBIUM_UTIL_CHECKSUM_H_
#define CAMBIUM_UTIL_CHECKSUM_H_

#include <cstdint>
#include <string_view>

namespace cambium {

// The hash of a user key: XXH3-64, seed 0. One value serves filter, fingerprint and memtable index.
// Stored in files.
uint64_t HashKey(std::string_view key);

// The low half of XXH3-64 over `bytes`, seeded with where they lie, so that valid bytes in the
// wrong place do not pass.
uint32_t Checksum32(std::string_view bytes, uint64_t file_id, uint64_t offset);
uint64_t Checksum64(std::string_view bytes, uint64_t file_id, uint64_t offset);

// The digest of a whole file, fed in order. Thread-compatible.
class FileDigest {
 public:
  FileDigest();
  ~FileDigest();
  FileDigest(const FileDigest&) = delete;
  FileDigest& operator=(const FileDigest&) = delete;

  void Update(std::string_view bytes);
  uint64_t Value() const;

 private:
  void* const state_;
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_CHECKSUM_H_
