// ChunkPool: memory chunks of equal size that are recycled.
//
// Touching a page for the first time costs more than the rest of a small write, so the memory of a
// freed memtable is kept for the next one instead of being returned to the system.
//
// Invariants: every chunk has chunk_bytes() bytes, a power of two, and is at least cache-line
// aligned. A chunk of 2 MiB or more is aligned to 2 MiB and requests huge pages. The content of an
// allocated chunk is unspecified. At most max_retained_bytes of free chunks are kept.
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
  // All allocated memory must have been released.
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // Returns a chunk of chunk_bytes(). Never null: throws std::bad_alloc if there is no memory.
  char* Allocate();
  void Release(char* chunk);

  // Allocates `bytes` outside of the chunks, aligned to a cache line; never retained after release.
  char* AllocateLarge(size_t bytes);
  // Releases memory that AllocateLarge(bytes) returned.
  void ReleaseLarge(char* memory, size_t bytes);

  size_t chunk_bytes() const { return chunk_bytes_; }
  // Return the allocated bytes, including large pieces, and the retained bytes: together, the
  // pool's share of the memory budget.
  size_t bytes_in_use() const { return in_use_.load(std::memory_order_relaxed); }
  size_t bytes_retained() const { return retained_.load(std::memory_order_relaxed); }

 private:
  // Returns null if no chunk is retained.
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
