// Searching the key heads of a skiplist node: how many of them are below a given head.
//
// Heads are unsigned 64-bit numbers, ascending, padded to the node's capacity with kNoHead. The
// widest instructions that the machine has are chosen at the first call.
//
// A node changes while it is searched. A head is read whole (no half-written number is seen), and
// every head is read before anything that the caller reads afterwards; whether they all belong to
// one state of the node is for the caller to find out from the node's version.
#ifndef CAMBIUM_MEMTABLE_HEAD_SEARCH_H_
#define CAMBIUM_MEMTABLE_HEAD_SEARCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cambium::memtable {

// Slots of a node.
inline constexpr size_t kNodeCapacity = 64;
// Stands in a slot that is not in use: no head is above it.
inline constexpr uint64_t kNoHead = ~uint64_t{0};

// The heads of a node; aligned to a cache line.
using HeadArray = std::atomic<uint64_t>[kNodeCapacity];

// The ways there are, for tests and benchmarks; kBest is the fastest that this machine can run.
enum class HeadSearch : uint8_t { kBest, kScalar, kAvx2, kAvx512 };
// Whether this machine and this build can run it.
bool Supports(HeadSearch search);

// The number of heads < `head`.
size_t CountBelow(const HeadArray& heads, uint64_t head);
// The same by a given way. Requires Supports(search).
size_t CountBelow(const HeadArray& heads, uint64_t head, HeadSearch search);

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_HEAD_SEARCH_H_
