// Arena: memory that is freed all at once, allocated by advancing an offset.
//
// Chunks come from a ChunkPool and are returned to it when the arena is destroyed. Any number of
// threads may allocate at once: usually an allocation is one fetch_add on the offset of the current
// chunk, and the thread that finds the chunk full installs the next one under a lock. A request
// that is too large for a chunk gets separate memory, so the unused tail of a full chunk is below a
// quarter of the chunk.
#ifndef CAMBIUM_UTIL_ARENA_H_
#define CAMBIUM_UTIL_ARENA_H_

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "util/chunk_pool.h"
#include "util/mutex.h"

namespace cambium {

// Thread-safe.
class Arena {
 public:
  static constexpr size_t kAlignment = 8;
  static constexpr size_t kCacheLine = 64;

  // The pool must outlive the arena.
  explicit Arena(ChunkPool* pool);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Returns `bytes` of unspecified content, aligned to kAlignment; valid until the arena is
  // destroyed. Never returns null.
  char* Allocate(size_t bytes) {
    const size_t rounded = (bytes + kAlignment - 1) & ~(kAlignment - 1);
    Chunk* chunk = current_.load(std::memory_order_acquire);
    if (chunk != nullptr && rounded <= large_bytes_) {
      const size_t offset = chunk->used.fetch_add(rounded, std::memory_order_relaxed);
      if (offset + rounded <= chunk_bytes_) return reinterpret_cast<char*>(chunk) + offset;
    }
    return AllocateSlow(rounded);
  }
  // Like Allocate, but aligned to a cache line.
  char* AllocateLine(size_t bytes);

  // Returns the total size of chunks and large pieces.
  size_t MemoryUsage() const { return usage_.load(std::memory_order_relaxed); }

 private:
  // The header of each chunk. `used` may grow past the chunk's end: such requests were not served
  // from it.
  struct alignas(kCacheLine) Chunk {
    std::atomic<size_t> used{sizeof(Chunk)};
  };

  char* AllocateSlow(size_t rounded);

  ChunkPool* const pool_;
  const size_t chunk_bytes_;
  const size_t large_bytes_;  // larger requests get separate memory
  std::atomic<Chunk*> current_{nullptr};
  std::atomic<size_t> usage_{0};
  Mutex mutex_{LockRank::kPool};
  std::vector<Chunk*> chunks_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<char*, size_t>> large_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_ARENA_H_
