// Keys and values of a run: made from numbers, as db_bench makes them.
#ifndef CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_DATA_H_
#define CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_DATA_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace cambium::bench {

// Writes the key of `number`: eight bytes, most significant first, then '0' up to the key's size.
void MakeKey(uint64_t number, int key_size, std::string* key);

// Values that compress to a given part of their size. The value of a key is a function of its
// number, so that a read can be checked. Immutable after construction.
class ValueSource {
 public:
  ValueSource(int value_size, double compression_ratio, uint64_t seed);

  // Lives as long as the source.
  std::string_view ValueOf(uint64_t number) const;

 private:
  const size_t value_size_;
  std::string bytes_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_CAMBIUM_BENCH_DATA_H_
