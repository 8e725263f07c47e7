// Every bound of the engine, each with why it holds.
#ifndef CAMBIUM_BASE_LIMITS_H_
#define CAMBIUM_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace cambium {

// Public limits on one entry. A key length fits 17 bits, a value length 31: both fit the formats'
// 32-bit fields with room for a record's framing.
inline constexpr size_t kMaxKeySize = size_t{64} << 10;
inline constexpr size_t kMaxValueSize = size_t{1} << 30;

// Bytes of one encoded batch: with its header it must fit a log segment, whose offsets are 32 bits.
inline constexpr size_t kMaxBatchSize = size_t{3} << 30;

// Levels of a tree: 10 × a level, seven levels hold petabytes above 64 MiB files.
inline constexpr int kLevelCount = 7;

// Bytes a log segment takes by default, and at least.
inline constexpr uint64_t kDefaultSegmentSize = uint64_t{64} << 20;
inline constexpr uint64_t kMinSegmentSize = uint64_t{64} << 10;

// Bytes of the memory budget, at least.
inline constexpr size_t kMinMemoryBudget = size_t{1} << 20;

// Memtables of one tree that may wait for their flush before writers stop.
inline constexpr int kMaxFrozenMemtables = 4;

// Raw bytes at which a data block of an SSTable is closed.
inline constexpr size_t kDataBlockSize = size_t{8} << 10;

}  // namespace cambium

#endif  // CAMBIUM_BASE_LIMITS_H_
