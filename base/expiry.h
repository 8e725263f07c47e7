// Expiry: values that are visible until a point in time, and the time that decides it.
//
// An entry of kind kValueWithExpiry holds, in the place of its value, the time at which it expires
// and then the value:
//
//   offset 0   fixed64   microseconds since 1970-01-01 00:00 UTC, at least 1
//   offset 8             the value
//
// From that time on the entry is a deletion: it hides older versions of its key, for every reader
// and every snapshot, and flush and compaction drop it like one. This needs a time that never runs
// backwards: an entry that was treated as expired once must never be visible again. WallTime is the
// database's time. It is the clock's time, or the latest time that any write or any decision has
// used if that is later; the manifest stores it (docs/format/manifest.md, field 9).
#ifndef CAMBIUM_BASE_EXPIRY_H_
#define CAMBIUM_BASE_EXPIRY_H_

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/keys.h"
#include "base/limits.h"
#include "cambium/clock.h"
#include "util/coding.h"

namespace cambium {

inline constexpr size_t kExpirySize = 8;

// The latest expiry: later ones are set to it. It is the last microsecond of a
// std::chrono::system_clock::time_point, in the year 2262.
inline constexpr uint64_t kMaxExpiryMicros = INT64_MAX / 1000;

// Returns when a value expires that is written now. `ttl` must be positive.
inline uint64_t ExpiryAfter(uint64_t now_micros, std::chrono::milliseconds ttl) {
  assert(ttl.count() > 0);
  const uint64_t left_micros = kMaxExpiryMicros - std::min(now_micros, kMaxExpiryMicros);
  const auto millis = static_cast<uint64_t>(ttl.count());
  return millis > left_micros / 1000 ? kMaxExpiryMicros : now_micros + millis * 1000;
}

// The parts of the stored bytes of a kValueWithExpiry. Plain data.
struct ExpiringValue {
  uint64_t expiry_micros = 0;
  std::string_view value;
};
// Returns nullopt if `stored` is too short.
inline std::optional<ExpiringValue> DecodeExpiring(std::string_view stored) {
  if (stored.size() < kExpirySize) return std::nullopt;
  return ExpiringValue{LoadFixed64(stored.data()), stored.substr(kExpirySize)};
}

// The values of a table that expire: their number, and the first and last expiry; all 0 if there
// are none. Plain data.
struct ExpirySpan {
  uint64_t count = 0;
  uint64_t oldest_micros = 0, newest_micros = 0;

  void Add(uint64_t expiry_micros) {
    oldest_micros = count == 0 ? expiry_micros : std::min(oldest_micros, expiry_micros);
    newest_micros = std::max(newest_micros, expiry_micros);
    ++count;
  }
  friend bool operator==(const ExpirySpan&, const ExpirySpan&) = default;
};

// Returns true if the stored bytes of an entry have a possible size.
constexpr bool StoredEntryWithinLimits(Kind kind, std::string_view key, std::string_view stored) {
  const size_t head_size = kind == Kind::kValueWithExpiry ? kExpirySize : 0;
  return key.size() <= kMaxKeySize && stored.size() >= head_size &&
         stored.size() - head_size <= kMaxValueSize;
}

// The time of one database. Thread-safe.
class WallTime {
 public:
  // The clock must outlive it.
  explicit WallTime(Clock* clock) : clock_(clock) {}
  WallTime(const WallTime&) = delete;
  WallTime& operator=(const WallTime&) = delete;

  // Returns the microseconds since 1970-01-01 00:00 UTC, no less than reached().
  uint64_t Now() const { return std::max(clock_->WallMicros(), reached()); }
  // Does the same for a write: every later call returns at least this time.
  uint64_t NowForWrite() {
    const uint64_t now = Now();
    Reach(now);
    return now;
  }
  // Makes every later Now() return at least `micros`.
  void Reach(uint64_t micros) {
    uint64_t reached = reached_.load(std::memory_order_relaxed);
    while (reached < micros &&
           !reached_.compare_exchange_weak(reached, micros, std::memory_order_relaxed)) {
    }
  }
  // Returns the latest time that was used so far; 0: none.
  uint64_t reached() const { return reached_.load(std::memory_order_relaxed); }

 private:
  Clock* const clock_;
  std::atomic<uint64_t> reached_{0};
};

// The time of one read, or of one job: all its decisions use the same. Until it decides something
// it costs nothing, and it writes shared memory only if an entry expired since the last decision
// of the whole database. A copyable value. Thread-compatible.
class ReadTime {
 public:
  // `wall` must outlive it.
  explicit ReadTime(WallTime* wall) : wall_(wall) {}

  // Fixes the time now, instead of at the first decision. A reader must have loaded its view
  // before: then its time is no earlier than that of the jobs that wrote the view's tables.
  void Fix() {
    if (now_micros_ == kNotFixed) now_micros_ = wall_->Now();
  }
  // Returns true if an entry with this expiry must not be visible.
  bool HasPassed(uint64_t expiry_micros) {
    Fix();
    if (expiry_micros > now_micros_) return false;
    wall_->Reach(expiry_micros);
    return true;
  }

 private:
  static constexpr uint64_t kNotFixed = UINT64_MAX;

  WallTime* wall_;
  uint64_t now_micros_ = kNotFixed;
};

}  // namespace cambium

#endif  // CAMBIUM_BASE_EXPIRY_H_
