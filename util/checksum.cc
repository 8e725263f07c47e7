#include "util/checksum.h"

#include <xxhash.h>

namespace cambium {
namespace {

// Mixes a position into one seed: the seeds of adjacent positions differ in many bits.
uint64_t Seed(uint64_t file_id, uint64_t offset) {
  return (file_id * 0x9e3779b97f4a7c15ULL) ^ (offset + 0x2545f4914f6cdd1dULL);
}

}  // namespace

uint64_t HashKey(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

uint32_t Checksum32(std::string_view bytes, uint64_t file_id, uint64_t offset) {
  return static_cast<uint32_t>(Checksum64(bytes, file_id, offset));
}

uint64_t Checksum64(std::string_view bytes, uint64_t file_id, uint64_t offset) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), Seed(file_id, offset));
}

FileDigest::FileDigest() : state_(XXH3_createState()) {
  XXH3_64bits_reset(static_cast<XXH3_state_t*>(state_));
}

FileDigest::~FileDigest() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }

void FileDigest::Update(std::string_view bytes) {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), bytes.data(), bytes.size());
}

uint64_t FileDigest::Value() const {
  return XXH3_64bits_digest(static_cast<const XXH3_state_t*>(state_));
}

}  // namespace cambium
