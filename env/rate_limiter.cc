#include "env/rate_limiter.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cambium::env {
namespace {

constexpr double kMicrosPerSecond = 1e6;
constexpr double kBucketSeconds = 0.1;

}  // namespace

RateLimiter::RateLimiter(std::shared_ptr<Clock> clock, uint64_t bytes_per_second)
    : clock_(std::move(clock)),
      bytes_per_second_(bytes_per_second),
      refilled_at_micros_(clock_->NowMicros()) {}

void RateLimiter::Acquire(uint64_t bytes) {
  uint64_t sleep_micros = 0;
  {
    MutexLock lock(&mu_);
    if (bytes_per_second_ == kUnlimited) return;
    Refill();
    tokens_ -= static_cast<double>(bytes);
    if (tokens_ < 0) {
      sleep_micros = static_cast<uint64_t>(
          std::ceil(-tokens_ * kMicrosPerSecond / static_cast<double>(bytes_per_second_)));
    }
  }
  if (sleep_micros > 0) clock_->SleepMicros(sleep_micros);
}

void RateLimiter::SetRate(uint64_t bytes_per_second) {
  MutexLock lock(&mu_);
  Refill();
  bytes_per_second_ = bytes_per_second;
  if (bytes_per_second == kUnlimited) tokens_ = 0;
}

uint64_t RateLimiter::rate() const {
  MutexLock lock(&mu_);
  return bytes_per_second_;
}

void RateLimiter::Refill() {
  const uint64_t now = clock_->NowMicros();
  const double rate = static_cast<double>(bytes_per_second_);
  const double earned = rate * static_cast<double>(now - refilled_at_micros_) / kMicrosPerSecond;
  tokens_ = std::min(tokens_ + earned, rate * kBucketSeconds);
  refilled_at_micros_ = now;
}

}  // namespace cambium::env
