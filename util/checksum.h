// Checksums and hashes: XXH3 (https://github.com/Cyan4973/xxHash, XXH3 64-bit).
#ifndef CAMBIUM_UTIL_CHECKSUM_H_
#define CAMBIUM_UTIL_CHECKSUM_H_

#include <cstdint>
#include <string_view>

namespace cambium {

// Returns the hash of a user key: XXH3-64, seed 0. The filter, the fingerprints, and the memtable
// index share it. Stored in files.
uint64_t HashKey(std::string_view key);

// Returns the low half of the XXH3-64 of `bytes`, seeded with their location, so that valid bytes
// in the wrong place do not pass.
uint32_t Checksum32(std::string_view bytes, uint64_t file_id, uint64_t offset);
uint64_t Checksum64(std::string_view bytes, uint64_t file_id, uint64_t offset);

// Computes the digest of a whole file, which is added in order. Thread-compatible.
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
