// The SIMD instructions that this folder uses: which the processor has, and the search for a byte
// in a column of fingerprints.
//
// Kernels come in a portable version and in versions for wider registers; the widest that the
// processor has is chosen once and called through a pointer. All give the same answers.
#ifndef CAMBIUM_SSTABLE_BLOCK_BLOCK_SIMD_H_
#define CAMBIUM_SSTABLE_BLOCK_BLOCK_SIMD_H_

#include <cstddef>
#include <cstdint>

namespace cambium::sstable {

enum class Simd : uint8_t { kPortable, kAvx2, kAvx512 };

// The widest that the processor has. Safe to call from several threads at once.
Simd BestSimd();

// The fingerprint of a key whose hash is `hash`.
constexpr uint8_t Fingerprint(uint64_t hash) { return static_cast<uint8_t>(hash); }

// How many fingerprints a matcher looks at in one call.
inline constexpr size_t kFingerprintGroup = 64;
// How far before `column` a matcher may read.
inline constexpr size_t kFingerprintReach = 32;

// Bit i of the answer is set where column[i] == fingerprint, for i < count. Requires 1 <= count <=
// kFingerprintGroup. Reads nothing from column + count on.
using FingerprintMatcher = uint64_t (*)(const char* column, size_t count, uint8_t fingerprint);

// Requires that the processor has `simd`.
FingerprintMatcher FingerprintMatcherFor(Simd simd);

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_BLOCK_SIMD_H_
