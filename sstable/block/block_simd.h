// The SIMD instructions that this folder uses: detects those that the processor has, and searches
// for a byte in a column of fingerprints.
//
// Kernels have a portable version and versions for wider registers; the widest version that the
// processor supports is selected once and called through a pointer. All return the same results.
#ifndef CAMBIUM_SSTABLE_BLOCK_BLOCK_SIMD_H_
#define CAMBIUM_SSTABLE_BLOCK_BLOCK_SIMD_H_

#include <cstddef>
#include <cstdint>

namespace cambium::sstable {

enum class Simd : uint8_t { kPortable, kAvx2, kAvx512 };

// Returns the widest instructions that the processor has. Thread-safe.
Simd BestSimd();

// Returns the fingerprint of a key whose hash is `hash`.
constexpr uint8_t Fingerprint(uint64_t hash) { return static_cast<uint8_t>(hash); }

// The maximum number of fingerprints per call of a matcher.
inline constexpr size_t kFingerprintGroup = 64;
// The number of bytes before `column` that a matcher may read.
inline constexpr size_t kFingerprintReach = 32;

// Bit i of the result is set if column[i] == fingerprint, for i < count. 1 <= count <=
// kFingerprintGroup. Reads nothing from column + count on.
using FingerprintMatcher = uint64_t (*)(const char* column, size_t count, uint8_t fingerprint);

// The processor must support `simd`.
FingerprintMatcher FingerprintMatcherFor(Simd simd);

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_BLOCK_SIMD_H_
