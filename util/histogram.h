// Histograms of 64-bit values in constant space: the width of a bucket grows with its values.
//
// Values below 64 have one bucket each; above, each power of two is divided into 32 buckets.
// Therefore the width of a bucket is at most 1/32 of its lower end, and its middle is within 1.6 %
// of all its values.
#ifndef CAMBIUM_UTIL_HISTOGRAM_H_
#define CAMBIUM_UTIL_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "cambium/stats.h"

namespace cambium {

namespace histogram_internal {

inline constexpr int kSubBits = 5;
inline constexpr size_t kSubBuckets = size_t{1} << kSubBits;
inline constexpr size_t kBuckets = (64 - kSubBits + 1) * kSubBuckets;

constexpr size_t BucketOf(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - (kSubBits + 1));
  return static_cast<size_t>(shift) * kSubBuckets + static_cast<size_t>(value >> shift);
}
// Return the smallest value of a bucket, and the number of values in its range.
constexpr uint64_t BucketStart(size_t bucket) {
  if (bucket < 2 * kSubBuckets) return bucket;
  return (bucket % kSubBuckets + kSubBuckets) << (bucket / kSubBuckets - 1);
}
constexpr uint64_t BucketWidth(size_t bucket) {
  return bucket < 2 * kSubBuckets ? 1 : uint64_t{1} << (bucket / kSubBuckets - 1);
}
static_assert(BucketOf(UINT64_MAX) == kBuckets - 1);

}  // namespace histogram_internal

// Thread-compatible.
class Histogram {
 public:
  void Record(uint64_t value) {
    ++buckets_[histogram_internal::BucketOf(value)];
    ++count_;
    sum_ += static_cast<double>(value);
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  // Adds everything that `other` recorded.
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  double sum() const { return sum_; }
  // Returns 0 if empty.
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  double Mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  // Returns the value that a fraction `quantile` of the records does not exceed, within 2 %; 0 if
  // empty.
  double Quantile(double quantile) const;

  // Calls `visit(middle, count)` for each nonempty bucket, in order.
  template <typename Visit>
  void ForEachBucket(Visit visit) const {
    for (size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i] != 0) visit(MiddleOf(i), buckets_[i]);
    }
  }

  // Returns a summary in units of `unit` recorded ones: use 1000 if nanoseconds were recorded and
  // microseconds are wanted.
  HistogramSummary Summary(double unit = 1) const;

 private:
  // Returns the middle of a bucket, limited to the recorded range.
  double MiddleOf(size_t bucket) const;

  std::array<uint64_t, histogram_internal::kBuckets> buckets_{};
  uint64_t count_ = 0;
  double sum_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_HISTOGRAM_H_
