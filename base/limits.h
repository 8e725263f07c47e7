// All limits of the engine, each with the reason why it is sufficient.
#ifndef CAMBIUM_BASE_LIMITS_H_
#define CAMBIUM_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace cambium {

// Public limits of one entry. A key length fits 17 bits and a value length 31, so both fit the
// formats' 32-bit fields with room for a record's header.
inline constexpr size_t kMaxKeySize = size_t{64} << 10;
inline constexpr size_t kMaxValueSize = size_t{1} << 30;

// Maximum size of an encoded batch: with its header it must fit a log segment, whose offsets have
// 32 bits.
inline constexpr size_t kMaxBatchSize = size_t{3} << 30;

// Levels of a tree: with a factor of 10 per level, seven levels hold petabytes above 64 MiB files.
inline constexpr int kLevelCount = 7;

// Default and minimum size of a log segment.
inline constexpr uint64_t kDefaultSegmentSize = uint64_t{64} << 20;
inline constexpr uint64_t kMinSegmentSize = uint64_t{64} << 10;

// Minimum memory budget in bytes.
inline constexpr size_t kMinMemoryBudget = size_t{1} << 20;

// Frozen memtables of one tree that may wait for their flush before writers stop.
inline constexpr int kMaxFrozenMemtables = 4;

// Raw bytes at which a data block of an SSTable is finished.
inline constexpr size_t kDataBlockSize = size_t{8} << 10;

}  // namespace cambium

#endif  // CAMBIUM_BASE_LIMITS_H_
