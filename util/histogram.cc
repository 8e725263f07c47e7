#include "util/histogram.h"

#include <cmath>

namespace cambium {

using histogram_internal::BucketStart;
using histogram_internal::BucketWidth;

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Histogram::MiddleOf(size_t bucket) const {
  const double middle = static_cast<double>(BucketStart(bucket)) +
                        std::floor(static_cast<double>(BucketWidth(bucket)) / 2);
  return std::clamp(middle, static_cast<double>(min_), static_cast<double>(max_));
}

double Histogram::Quantile(double quantile) const {
  if (count_ == 0) return 0;
  const double wanted = std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_);
  const uint64_t rank = std::max(uint64_t{1}, static_cast<uint64_t>(std::ceil(wanted)));
  uint64_t passed = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    passed += buckets_[i];
    if (passed < rank) continue;
    return MiddleOf(i);
  }
  return static_cast<double>(max_);
}

HistogramSummary Histogram::Summary(double unit) const {
  HistogramSummary summary;
  summary.count = count_;
  summary.sum = sum_ / unit;
  summary.min = static_cast<double>(min()) / unit;
  summary.max = static_cast<double>(max()) / unit;
  summary.p50 = Quantile(0.5) / unit;
  summary.p90 = Quantile(0.9) / unit;
  summary.p99 = Quantile(0.99) / unit;
  summary.p999 = Quantile(0.999) / unit;
  summary.p9999 = Quantile(0.9999) / unit;
  return summary;
}

}  // namespace cambium
