#include "tests/stress/noise.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "env/clock.h"
#include "env/testing/intercepted_file_system.h"
#include "env/thread_pool.h"
#include "util/random.h"

namespace cambium::stress {
namespace {

struct NoiseLevel {
  std::atomic<Noise> noise{Noise::kNone};
  std::atomic<uint64_t> seed{0};
  std::atomic<uint64_t> threads{0};
};

NoiseLevel& Level() {
  static NoiseLevel* const level = new NoiseLevel;
  return *level;
}

// One in so many calls yields, and one in 16 of those sleeps.
uint64_t Rarity(NoisePoint point, Noise noise) {
  const uint64_t heavy = noise == Noise::kHeavy ? 1 : 8;
  switch (point) {
    case NoisePoint::kFile:
      return 4 * heavy;
    case NoisePoint::kTask:
      return 2 * heavy;
    case NoisePoint::kClock:
      return 32 * heavy;
    case NoisePoint::kCompare:
      return 4096 * heavy;
    case NoisePoint::kCaller:
      return 64 * heavy;
  }
  return 1;
}

// Thread-safe.
class NoiseInterceptor final : public env::Interceptor {
 public:
  env::Verdict Before(const env::Operation&) override {
    MakeNoise(NoisePoint::kFile);
    return {};
  }
  void After(const env::Operation&, const absl::Status&) override { MakeNoise(NoisePoint::kFile); }
};

// Thread-safe.
class NoisyThreads final : public Executor {
 public:
  explicit NoisyThreads(int threads) : pool_(threads) {}

  void Schedule(Lane lane, std::function<void()> task) override {
    MakeNoise(NoisePoint::kTask);
    pool_.Schedule(lane, [task = std::move(task)] {
      MakeNoise(NoisePoint::kTask);
      task();
      MakeNoise(NoisePoint::kTask);
    });
  }
  bool RunOne() override { return pool_.RunOne(); }
  int Concurrency() const override { return pool_.Concurrency(); }

 private:
  env::ThreadPool pool_;
};

// Thread-safe.
class NoisySystemClock final : public Clock {
 public:
  uint64_t NowMicros() override {
    MakeNoise(NoisePoint::kClock);
    return base_.NowMicros();
  }
  uint64_t WallMicros() override { return base_.WallMicros(); }
  void SleepMicros(uint64_t micros) override { base_.SleepMicros(micros); }

 private:
  env::SystemClock base_;
};

}  // namespace

void SetNoise(Noise noise, uint64_t seed) {
  Level().seed.store(seed, std::memory_order_relaxed);
  Level().noise.store(noise, std::memory_order_relaxed);
}

void MakeNoise(NoisePoint point) {
  const Noise noise = Level().noise.load(std::memory_order_relaxed);
  if (noise == Noise::kNone) return;
  thread_local Random random(Level().seed.load(std::memory_order_relaxed) ^
                             MixBits(Level().threads.fetch_add(1, std::memory_order_relaxed)));
  if (random.Uniform(Rarity(point, noise)) != 0) return;
  if (random.Uniform(16) != 0) {
    std::this_thread::yield();
    return;
  }
  std::this_thread::sleep_for(std::chrono::microseconds(1 + random.Uniform(500)));
}

std::shared_ptr<FileSystem> NoisyFileSystem(std::shared_ptr<FileSystem> base, bool hide_mapping) {
  return std::make_shared<env::InterceptedFileSystem>(
      std::move(base), std::make_shared<NoiseInterceptor>(),
      hide_mapping ? env::MappingAccess::kHidden : env::MappingAccess::kShown);
}

std::shared_ptr<Executor> NoisyExecutor(int threads) {
  return std::make_shared<NoisyThreads>(threads);
}

std::shared_ptr<Clock> NoisyClock() { return std::make_shared<NoisySystemClock>(); }

}  // namespace cambium::stress
