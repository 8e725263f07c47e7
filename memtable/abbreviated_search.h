// Searching the key abbreviated keys of a skiplist node: how many of them are below a given
// abbreviated key.
//
// Abbreviated keys are unsigned 64-bit numbers, ascending, padded to the node's capacity with
// kNoAbbreviatedKey. The widest instructions that the machine has are chosen at the first call.
//
// A node changes while it is searched. An abbreviated key is read whole (no half-written number is
// seen), and every abbreviated key is read before anything that the caller reads afterwards;
// whether they all belong to one state of the node is for the caller to find out from the node's
// version.
#ifndef CAMBIUM_MEMTABLE_ABBREVIATED_SEARCH_H_
#define CAMBIUM_MEMTABLE_ABBREVIATED_SEARCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cambium::memtable {

// Slots of a node.
inline constexpr size_t kNodeCapacity = 64;
// Stands in a slot that is not in use: no abbreviated key is above it.
inline constexpr uint64_t kNoAbbreviatedKey = ~uint64_t{0};

// The abbreviated keys of a node; aligned to a cache line.
using AbbreviatedKeys = std::atomic<uint64_t>[kNodeCapacity];

// The ways there are, for tests and benchmarks; kBest is the fastest that this machine can run.
enum class AbbreviatedSearch : uint8_t { kBest, kScalar, kAvx2, kAvx512 };
// Whether this machine and this build can run it.
bool Supports(AbbreviatedSearch search);

// The number of abbreviated keys < `abbreviated key`.
size_t CountBelow(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated);
// The same by a given way. Requires Supports(search).
size_t CountBelow(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated,
                  AbbreviatedSearch search);

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_ABBREVIATED_SEARCH_H_
