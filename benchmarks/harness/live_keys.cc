#include "benchmarks/harness/live_keys.h"

namespace cambium::bench {

std::atomic<uint64_t>* NumberSet::WordOf(uint64_t number) {
  std::atomic<Chunk*>& slot = chunks_[number >> kChunkBits];
  Chunk* chunk = slot.load(std::memory_order_acquire);
  if (chunk == nullptr) {
    auto fresh = std::make_unique<Chunk>();
    if (slot.compare_exchange_strong(chunk, fresh.get())) chunk = fresh.release();
  }
  return &chunk->words[(number & ((uint64_t{1} << kChunkBits) - 1)) / 64];
}

bool NumberSet::Insert(uint64_t number) {
  std::atomic<uint64_t>* const word = WordOf(number);
  const uint64_t bit = uint64_t{1} << number % 64;
  if ((word->load(std::memory_order_relaxed) & bit) != 0) return false;
  return (word->fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
}

bool NumberSet::Erase(uint64_t number) {
  std::atomic<uint64_t>* const word = WordOf(number);
  const uint64_t bit = uint64_t{1} << number % 64;
  if ((word->load(std::memory_order_relaxed) & bit) == 0) return false;
  return (word->fetch_and(~bit, std::memory_order_relaxed) & bit) != 0;
}

void NumberSet::Clear() {
  for (size_t i = 0; i < kChunks; ++i) {
    const std::unique_ptr<Chunk> chunk(chunks_[i].exchange(nullptr));
  }
}

void LiveKeys::Put(uint64_t number, uint64_t bytes) {
  const uint64_t long_bytes = long_bytes_.load(std::memory_order_relaxed);
  if (long_bytes != 0 && long_.Erase(number)) bytes_.fetch_sub(long_bytes);
  if (usual_.Insert(number)) bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void LiveKeys::PutLong(uint64_t number, uint64_t bytes) {
  long_bytes_.store(bytes, std::memory_order_relaxed);
  if (long_.Insert(number)) bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void LiveKeys::Delete(uint64_t number, uint64_t bytes) {
  const uint64_t long_bytes = long_bytes_.load(std::memory_order_relaxed);
  if (long_bytes != 0 && long_.Erase(number)) bytes_.fetch_sub(long_bytes);
  if (usual_.Erase(number)) bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

void LiveKeys::PutRecord(uint64_t record, uint64_t bytes) {
  if (records_.Insert(record)) bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void LiveKeys::Clear() {
  usual_.Clear();
  long_.Clear();
  records_.Clear();
  long_bytes_.store(0);
  bytes_.store(0);
}

}  // namespace cambium::bench
