// StallTimer: measures how long a writer waits.
#ifndef CAMBIUM_ENGINE_WRITE_STALL_TIMER_H_
#define CAMBIUM_ENGINE_WRITE_STALL_TIMER_H_

#include <cstdint>

#include "cambium/clock.h"
#include "engine/state/stats_recorder.h"

namespace cambium::engine {

// Confined to its scope.
class StallTimer {
 public:
  StallTimer(StatsRecorder* stats, Clock* clock)
      : stats_(stats), clock_(clock), started_(clock->NowMicros()) {}
  ~StallTimer() { stats_->AddStall(clock_->NowMicros() - started_); }
  StallTimer(const StallTimer&) = delete;
  StallTimer& operator=(const StallTimer&) = delete;

 private:
  StatsRecorder* const stats_;
  Clock* const clock_;
  const uint64_t started_;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_STALL_TIMER_H_
