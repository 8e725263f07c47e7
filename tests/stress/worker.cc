#include "tests/stress/worker.h"

#include "tests/stress/noise.h"

namespace cambium::stress {
namespace {

constexpr size_t kWheelSize = 100'000;

}  // namespace

Worker::Worker(World* world, uint32_t owner, uint64_t seed)
    : world_(world), owner_(owner), random_(seed), last_seen_(world->keys.size(), 0) {
  uint64_t total = 0;
  for (const uint32_t weight : world->settings.weights) total += weight;
  for (size_t i = 0; i < kActionCount; ++i) {
    const uint64_t share = (world->settings.weights[i] * kWheelSize + total - 1) / total;
    wheel_.insert(wheel_.end(), share, static_cast<Action>(i));
  }
}

void Worker::Run() {
  Activity* const activity = world_->reporter->activity(owner_);
  while (!world_->stopping()) {
    const Action action = wheel_[random_.Uniform(wheel_.size())];
    activity->Start(ActionName(action).data());
    Act(action);
    world_->reporter->Add(Count::kOperations);
    MakeNoise(NoisePoint::kCaller);
  }
  activity->Start("last re-reads");
  while (!held_.empty() && !world_->reporter->failed()) Reread();
  held_.clear();
  activity->Start(nullptr);
}

void Worker::Act(Action action) {
  switch (action) {
    case Action::kPut:
      return WriteOne();
    case Action::kBatch:
      return WriteBatchOfKeys();
    case Action::kTransfer:
      return Transfer();
    case Action::kGetOwn:
      return GetOwn();
    case Action::kGetAny:
      return GetAny();
    case Action::kMultiGet:
      return ReadMany();
    case Action::kScan:
      return Scan();
    case Action::kSum:
      return Sum();
    case Action::kHold:
      return Hold();
    case Action::kReread:
      return Reread();
    case Action::kPrefix:
      return CheckPrefix();
    case Action::kFlush:
      return Flush();
    case Action::kCompact:
      return Compact();
    case Action::kVerify:
      return Verify();
    case Action::kStats:
      return LookAround();
    case Action::kFamily:
      return UseFamily();
    case Action::kIdle:
      return WaitForIdle();
  }
}

}  // namespace cambium::stress
