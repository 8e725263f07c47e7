// RateLimiter: so many bytes a second for background work, as a token bucket over a Clock.
#ifndef CAMBIUM_ENV_RATE_LIMITER_H_
#define CAMBIUM_ENV_RATE_LIMITER_H_

#include <cstdint>
#include <memory>

#include "cambium/clock.h"
#include "util/mutex.h"

namespace cambium::env {

// The bucket holds a tenth of a second's bytes at most, so that an idle time earns no burst to
// speak of. A request takes its bytes at once, more than there are too, and then sleeps off the
// debt: requests of any size pass, in order, and the rate holds on average. Thread-safe.
class RateLimiter {
 public:
  static constexpr uint64_t kUnlimited = 0;

  // `clock` is not null.
  RateLimiter(std::shared_ptr<Clock> clock, uint64_t bytes_per_second);

  // Returns when `bytes` may be read or written. Holds no lock while it sleeps.
  void Acquire(uint64_t bytes);

  // For requests from now on; what sleeps goes on sleeping.
  void SetRate(uint64_t bytes_per_second);
  uint64_t rate() const;

 private:
  // Pours in what the time since the last call earned.
  void Refill() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Clock> clock_;
  mutable Mutex mu_;
  uint64_t bytes_per_second_ ABSL_GUARDED_BY(mu_);
  double tokens_ ABSL_GUARDED_BY(mu_) = 0;  // bytes; negative: a debt being slept off
  uint64_t refilled_at_micros_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_RATE_LIMITER_H_
