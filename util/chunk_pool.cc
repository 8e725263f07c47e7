#include "util/chunk_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define CAMBIUM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAMBIUM_ASAN 1
#endif
#endif
#ifdef CAMBIUM_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace cambium {
namespace {

constexpr std::align_val_t kLineAlignment{64};
constexpr std::align_val_t kHugeAlignment{ChunkPool::kHugePageBytes};

// A chunk in the pool must not be accessed: this marks it for AddressSanitizer.
void Poison([[maybe_unused]] char* chunk, [[maybe_unused]] size_t bytes) {
#ifdef CAMBIUM_ASAN
  ASAN_POISON_MEMORY_REGION(chunk, bytes);
#endif
}
void Unpoison([[maybe_unused]] char* chunk, [[maybe_unused]] size_t bytes) {
#ifdef CAMBIUM_ASAN
  ASAN_UNPOISON_MEMORY_REGION(chunk, bytes);
#endif
}

bool IsHuge(size_t bytes) { return bytes >= ChunkPool::kHugePageBytes; }

char* NewChunk(size_t bytes) {
  void* const chunk = ::operator new(bytes, IsHuge(bytes) ? kHugeAlignment : kLineAlignment);
  // Small pages also work, only slower: the result does not matter.
  if (IsHuge(bytes)) (void)madvise(chunk, bytes, MADV_HUGEPAGE);
  return static_cast<char*>(chunk);
}

void DeleteChunk(char* chunk, size_t bytes) {
  Unpoison(chunk, bytes);
  ::operator delete(chunk, IsHuge(bytes) ? kHugeAlignment : kLineAlignment);
}

}  // namespace

ChunkPool::ChunkPool(size_t chunk_bytes, size_t max_retained_bytes)
    : chunk_bytes_(std::bit_ceil(std::max(chunk_bytes, kMinChunkBytes))),
      max_retained_bytes_(max_retained_bytes) {
  free_.reserve(max_retained_bytes_ / chunk_bytes_);  // so Release() needs no memory
}

ChunkPool::~ChunkPool() {
  assert(bytes_in_use() == 0);
  for (char* const chunk : free_) DeleteChunk(chunk, chunk_bytes_);
}

char* ChunkPool::Allocate() {
  char* chunk = TakeFree();
  if (chunk == nullptr) chunk = NewChunk(chunk_bytes_);
  in_use_.fetch_add(chunk_bytes_, std::memory_order_relaxed);
  return chunk;
}

char* ChunkPool::TakeFree() {
  MutexLock lock(&mutex_);
  if (free_.empty()) return nullptr;
  char* const chunk = free_.back();
  free_.pop_back();
  retained_.store(free_.size() * chunk_bytes_, std::memory_order_relaxed);
  Unpoison(chunk, chunk_bytes_);
  return chunk;
}

void ChunkPool::Release(char* chunk) {
  [[maybe_unused]] const size_t in_use = in_use_.fetch_sub(chunk_bytes_, std::memory_order_relaxed);
  assert(chunk != nullptr && in_use >= chunk_bytes_);
  {
    MutexLock lock(&mutex_);
    if ((free_.size() + 1) * chunk_bytes_ <= max_retained_bytes_) {
      assert(free_.size() < free_.capacity());
      Poison(chunk, chunk_bytes_);
      free_.push_back(chunk);
      retained_.store(free_.size() * chunk_bytes_, std::memory_order_relaxed);
      return;
    }
  }
  DeleteChunk(chunk, chunk_bytes_);
}

char* ChunkPool::AllocateLarge(size_t bytes) {
  void* const memory = ::operator new(bytes, kLineAlignment);
  in_use_.fetch_add(bytes, std::memory_order_relaxed);
  return static_cast<char*>(memory);
}

void ChunkPool::ReleaseLarge(char* memory, size_t bytes) {
  [[maybe_unused]] const size_t in_use = in_use_.fetch_sub(bytes, std::memory_order_relaxed);
  assert(memory != nullptr && in_use >= bytes);
  ::operator delete(memory, kLineAlignment);
}

}  // namespace cambium
