#include "util/arena.h"

#include <cassert>
#include <cstdint>
#include <new>

namespace cambium {

Arena::Arena(ChunkPool* pool)
    : pool_(pool), chunk_bytes_(pool->chunk_bytes()), large_bytes_(pool->chunk_bytes() / 4) {}

Arena::~Arena() {
  for (Chunk* const chunk : chunks_) pool_->Release(reinterpret_cast<char*>(chunk));
  for (const auto& [memory, bytes] : large_) pool_->ReleaseLarge(memory, bytes);
}

char* Arena::AllocateLine(size_t bytes) {
  char* const memory = Allocate(bytes + kCacheLine - kAlignment);
  const size_t past = reinterpret_cast<uintptr_t>(memory) % kCacheLine;
  return past == 0 ? memory : memory + (kCacheLine - past);
}

char* Arena::AllocateSlow(size_t rounded) {
  assert(rounded % kAlignment == 0);
  MutexLock lock(&mutex_);
  if (rounded > large_bytes_) {
    large_.reserve(large_.size() + 1);
    char* const memory = pool_->AllocateLarge(rounded);
    large_.emplace_back(memory, rounded);
    usage_.fetch_add(rounded, std::memory_order_relaxed);
    return memory;
  }
  // While this thread waited, another thread may have installed a chunk, and others may have filled
  // it.
  if (Chunk* const chunk = current_.load(std::memory_order_relaxed); chunk != nullptr) {
    const size_t offset = chunk->used.fetch_add(rounded, std::memory_order_relaxed);
    if (offset + rounded <= chunk_bytes_) return reinterpret_cast<char*>(chunk) + offset;
  }
  assert(sizeof(Chunk) + rounded <= chunk_bytes_);
  chunks_.reserve(chunks_.size() + 1);
  char* const memory = pool_->Allocate();
  Chunk* const chunk = new (memory) Chunk;
  chunk->used.store(sizeof(Chunk) + rounded, std::memory_order_relaxed);
  chunks_.push_back(chunk);
  usage_.fetch_add(chunk_bytes_, std::memory_order_relaxed);
  current_.store(chunk, std::memory_order_release);
  return memory + sizeof(Chunk);
}

}  // namespace cambium
