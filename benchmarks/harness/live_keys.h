// LiveKeys: tracks the keys in the database during a run, so that space amplification is exact.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_LIVE_KEYS_H_
#define CAMBIUM_BENCHMARKS_HARNESS_LIVE_KEYS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace cambium::bench {

// A bitmap of numbers that grows. Thread-safe.
class NumberSet {
 public:
  NumberSet() : chunks_(std::make_unique<std::atomic<Chunk*>[]>(kChunks)) {}
  ~NumberSet() { Clear(); }
  NumberSet(const NumberSet&) = delete;
  NumberSet& operator=(const NumberSet&) = delete;

  // Both return true if this changed the set. number must be < 2^36.
  bool Insert(uint64_t number);
  bool Erase(uint64_t number);
  // No other thread may use it during the call.
  void Clear();

 private:
  static constexpr int kChunkBits = 20;
  static constexpr size_t kChunks = size_t{1} << (36 - kChunkBits);
  struct Chunk {
    std::atomic<uint64_t> words[(size_t{1} << kChunkBits) / 64];
  };

  std::atomic<uint64_t>* WordOf(uint64_t number);

  std::unique_ptr<std::atomic<Chunk*>[]> chunks_;
};

// Thread-safe, except Clear.
class LiveKeys {
 public:
  // `bytes` is the size of key and value, the same at every Put of the number; PutLong is for
  // values of another size, which an ordinary Put replaces.
  void Put(uint64_t number, uint64_t bytes);
  void PutLong(uint64_t number, uint64_t bytes);
  void Delete(uint64_t number, uint64_t bytes);
  // YCSB's records have separate numbers.
  void PutRecord(uint64_t record, uint64_t bytes);
  void Clear();

  uint64_t bytes() const { return bytes_.load(); }

 private:
  NumberSet usual_, long_, records_;
  std::atomic<uint64_t> long_bytes_{0};  // of each long entry; 0: there are none
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_LIVE_KEYS_H_
