#include "memtable/abbreviated_search.h"

// ThreadSanitizer does not treat vector loads as atomic, and would report races.
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

using Function = size_t (*)(const AbbreviatedKeys&, uint64_t);

// A binary search without branches: the abbreviated keys are sorted.
size_t CountScalar(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated) {
  static_assert((kNodeCapacity & (kNodeCapacity - 1)) == 0);
  size_t below = 0;
  for (size_t step = kNodeCapacity / 2; step > 0; step /= 2) {
    below +=
        abbreviated_keys[below + step - 1].load(std::memory_order_acquire) < abbreviated ? step : 0;
  }
  return below + (abbreviated_keys[below].load(std::memory_order_acquire) < abbreviated ? 1 : 0);
}

#ifdef CAMBIUM_VECTOR_HEADS
// On this architecture an aligned 8-byte lane of a vector load is atomic, and loads are not
// reordered with later loads: only the compiler must be prevented from doing so.
static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));

__attribute__((target("avx2"))) size_t CountAvx2(const AbbreviatedKeys& abbreviated_keys,
                                                 uint64_t abbreviated) {
  // The comparison is signed: flipping the top bits makes it unsigned.
  const __m256i flip = _mm256_set1_epi64x(INT64_MIN);
  const __m256i bound =
      _mm256_xor_si256(_mm256_set1_epi64x(static_cast<int64_t>(abbreviated)), flip);
  const auto* lanes = reinterpret_cast<const __m256i*>(&abbreviated_keys[0]);
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

__attribute__((target("avx512f,popcnt"))) size_t CountAvx512(
    const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated) {
  const __m512i bound = _mm512_set1_epi64(static_cast<int64_t>(abbreviated));
  size_t below = 0;
  for (size_t i = 0; i < kNodeCapacity; i += 8) {
    const __m512i value = _mm512_loadu_si512(static_cast<const void*>(&abbreviated_keys[i]));
    below += static_cast<size_t>(__builtin_popcount(_mm512_cmplt_epu64_mask(value, bound)));
  }
  std::atomic_signal_fence(std::memory_order_acquire);
  return below;
}
#endif

Function FunctionFor(AbbreviatedSearch search) {
#ifdef CAMBIUM_VECTOR_HEADS
  if (search == AbbreviatedSearch::kAvx512) return CountAvx512;
  if (search == AbbreviatedSearch::kAvx2) return CountAvx2;
  if (search == AbbreviatedSearch::kBest) {
    if (Supports(AbbreviatedSearch::kAvx512)) return CountAvx512;
    if (Supports(AbbreviatedSearch::kAvx2)) return CountAvx2;
  }
#else
  (void)search;
#endif
  return CountScalar;
}

size_t ChooseThenCount(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated);

// Constant-initialized, so that a memtable may be used while static objects are initialized.
constinit std::atomic<Function> chosen{ChooseThenCount};

size_t ChooseThenCount(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated) {
  const Function function = FunctionFor(AbbreviatedSearch::kBest);
  chosen.store(function, std::memory_order_relaxed);
  return function(abbreviated_keys, abbreviated);
}

}  // namespace

bool Supports(AbbreviatedSearch search) {
#ifdef CAMBIUM_VECTOR_HEADS
  if (search == AbbreviatedSearch::kAvx512) return __builtin_cpu_supports("avx512f") != 0;
  if (search == AbbreviatedSearch::kAvx2) return __builtin_cpu_supports("avx2") != 0;
#endif
  return search == AbbreviatedSearch::kBest || search == AbbreviatedSearch::kScalar;
}

size_t CountBelow(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated) {
  return chosen.load(std::memory_order_relaxed)(abbreviated_keys, abbreviated);
}

size_t CountBelow(const AbbreviatedKeys& abbreviated_keys, uint64_t abbreviated,
                  AbbreviatedSearch search) {
  return FunctionFor(search)(abbreviated_keys, abbreviated);
}

}  // namespace cambium::memtable
