// ChunkPool: equal pieces of memory that are given back and given out again.
//
// Touching a page for the first time costs more than everything else that a small write does, so
// memory that one memtable leaves is kept for the next one instead of going back to the system.
//
// Invariants: every chunk is chunk_bytes() long, a power of two, and aligned to a cache line at
// least; from 2 MiB on a chunk is aligned to 2 MiB and asks for huge pages. A chunk's content is
// unspecified when it is given out. At most max_retained_bytes of free chunks are kept.
#ifndef CAMBIUM_UTIL_CHUNK_POOL_H_
#define CAMBIUM_UTIL_CHUNK_POOL_H_

#include <atomic>
#include <cstddef>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "util/mutex.h"

namespace cambium {

// Thread-safe.
class ChunkPool {
 public:
  static constexpr size_t kMinChunkBytes = size_t{4} << 10;
  static constexpr size_t kHugePageBytes = size_t{2} << 20;

  // `chunk_bytes` is rounded up to a power of two >= kMinChunkBytes.
  ChunkPool(size_t chunk_bytes, size_t max_retained_bytes);
  // Requires that everything allocated has been released.
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // A chunk of chunk_bytes(). Never null: throws std::bad_alloc if there is no memory.
  char* Allocate();
  void Release(char* chunk);

  // For what does not fit a chunk: `bytes` of their own, aligned to a cache line, never retained.
  char* AllocateLarge(size_t bytes);
  // Requires: `memory` came from AllocateLarge(bytes).
  void ReleaseLarge(char* memory, size_t bytes);

  size_t chunk_bytes() const { return chunk_bytes_; }
  // What is given out, large pieces too, and what is kept: together they are what the pool takes
  // from the memory budget.
  size_t bytes_in_use() const { return in_use_.load(std::memory_order_relaxed); }
  size_t bytes_retained() const { return retained_.load(std::memory_order_relaxed); }

 private:
  // Null if none is kept.
  char* TakeFree();

  const size_t chunk_bytes_;
  const size_t max_retained_bytes_;
  std::atomic<size_t> in_use_{0};
  std::atomic<size_t> retained_{0};
  Mutex mutex_;
  std::vector<char*> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_CHUNK_POOL_H_
