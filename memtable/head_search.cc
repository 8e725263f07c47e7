#include "memtable/head_search.h"

// Vector loads are no atomic operations to ThreadSanitizer, which would call them races.
#if defined(__SANITIZE_THREAD__)
#define CAMBIUM_SCALAR_HEADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CAMBIUM_SCALAR_HEADS 1
#endif
#endif
#if defined(__x86_64__) && !defined(CAMBIUM_SCALAR_HEADS)
#define CAMBIUM_VECTOR_HEADS 1
#include <immintrin.h>
#endif

namespace cambium::memtable {
namespace {

using Function = size_t (*)(const HeadArray&, uint64_t);

// A binary search without branches: the heads are sorted.
size_t CountScalar(const HeadArray& heads, uint64_t head) {
  static_assert((kNodeCapacity & (kNodeCapacity - 1)) == 0);
  size_t below = 0;
  for (size_t step = kNodeCapacity / 2; step > 0; step /= 2) {
    below += heads[below + step - 1].load(std::memory_order_acquire) < head ? step : 0;
  }
  return below + (heads[below].load(std::memory_order_acquire) < head ? 1 : 0);
}

#ifdef CAMBIUM_VECTOR_HEADS
// On this architecture an aligned 8-byte lane of a vector load is read whole, and loads are not
// reordered with later loads: only the compiler has to be kept from it.
static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));

__attribute__((target("avx2"))) size_t CountAvx2(const HeadArray& heads, uint64_t head) {
  // The comparison is of signed numbers: flipping the top bits makes it one of unsigned ones.
  const __m256i flip = _mm256_set1_epi64x(INT64_MIN);
  const __m256i bound = _mm256_xor_si256(_mm256_set1_epi64x(static_cast<int64_t>(head)), flip);
  const auto* lanes = reinterpret_cast<const __m256i*>(&heads[0]);
  __m256i below = _mm256_setzero_si256();
  for (size_t i = 0; i < kNodeCapacity / 4; ++i) {
    const __m256i value = _mm256_xor_si256(_mm256_loadu_si256(lanes + i), flip);
    below = _mm256_sub_epi64(below, _mm256_cmpgt_epi64(bound, value));  // true is -1
  }
  std::atomic_signal_fence(std::memory_order_acquire);
  const __m128i half =
      _mm_add_epi64(_mm256_castsi256_si128(below), _mm256_extracti128_si256(below, 1));
  return static_cast<size_t>(_mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1));
}

__attribute__((target("avx512f,popcnt"))) size_t CountAvx512(const HeadArray& heads,
                                                             uint64_t head) {
  const __m512i bound = _mm512_set1_epi64(static_cast<int64_t>(head));
  size_t below = 0;
  for (size_t i = 0; i < kNodeCapacity; i += 8) {
    const __m512i value = _mm512_loadu_si512(static_cast<const void*>(&heads[i]));
    below += static_cast<size_t>(__builtin_popcount(_mm512_cmplt_epu64_mask(value, bound)));
  }
  std::atomic_signal_fence(std::memory_order_acquire);
  return below;
}
#endif

Function FunctionFor(HeadSearch search) {
#ifdef CAMBIUM_VECTOR_HEADS
  if (search == HeadSearch::kAvx512) return CountAvx512;
  if (search == HeadSearch::kAvx2) return CountAvx2;
  if (search == HeadSearch::kBest) {
    if (Supports(HeadSearch::kAvx512)) return CountAvx512;
    if (Supports(HeadSearch::kAvx2)) return CountAvx2;
  }
#else
  (void)search;
#endif
  return CountScalar;
}

size_t ChooseThenCount(const HeadArray& heads, uint64_t head);

// Constant-initialised, so that a memtable may be used while statics are still being made.
constinit std::atomic<Function> chosen{ChooseThenCount};

size_t ChooseThenCount(const HeadArray& heads, uint64_t head) {
  const Function function = FunctionFor(HeadSearch::kBest);
  chosen.store(function, std::memory_order_relaxed);
  return function(heads, head);
}

}  // namespace

bool Supports(HeadSearch search) {
#ifdef CAMBIUM_VECTOR_HEADS
  if (search == HeadSearch::kAvx512) return __builtin_cpu_supports("avx512f") != 0;
  if (search == HeadSearch::kAvx2) return __builtin_cpu_supports("avx2") != 0;
#endif
  return search == HeadSearch::kBest || search == HeadSearch::kScalar;
}

size_t CountBelow(const HeadArray& heads, uint64_t head) {
  return chosen.load(std::memory_order_relaxed)(heads, head);
}

size_t CountBelow(const HeadArray& heads, uint64_t head, HeadSearch search) {
  return FunctionFor(search)(heads, head);
}

}  // namespace cambium::memtable
