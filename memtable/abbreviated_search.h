// Searches the abbreviated keys of a skiplist node: counts those below a given abbreviated key.
//
// Abbreviated keys are unsigned 64-bit numbers, ascending, padded to the node's capacity with
// kNoAbbreviatedKey. The first call selects the widest instructions that the machine supports.
//
// A node may change during the search. Each abbreviated key is read as a whole, and all of them are
// read before anything that the caller reads afterwards. The caller must check with the node's
// version that they belong to one state of the node.
#ifndef CAMBIUM_MEMTABLE_ABBREVIATED_SEARCH_H_
#define CAMBIUM_MEMTABLE_ABBREVIATED_SEARCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cambium::memtable {

// The number of slots of a node.
inline constexpr size_t kNodeCapacity = 64;
// The value of an unused slot: no abbreviated key is greater.
inline constexpr uint64_t kNoAbbreviatedKey = ~uint64_t{0};

// The abbreviated keys of a node; aligned to a cache line.
using AbbreviatedKeys = std::atomic<uint64_t>[kNodeCapacity];

// The implementations, for tests and benchmarks; kBest is the fastest that this machine supports.
enum class AbbreviatedSearch : uint8_t { kBest, kScalar, kAvx2, kAvx512 };
// Returns true if this machine and this build support it.
bool Supports(AbbreviatedSearch search);

// Returns the number of abbreviated keys that are < `abbreviated`.
size_t CountBelow(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated);
// Does the same with a given implementation. Supports(search) must be true.
size_t CountBelow(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated,
                  AbbreviatedSearch search);

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_ABBREVIATED_SEARCH_H_
