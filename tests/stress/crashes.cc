#include "tests/stress/crashes.h"

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/stress/checks.h"

namespace cambium::stress {

void CrashThread::Run() {
  Activity* const activity = world_->reporter->activity(kCrashActivity);
  while (!world_->stopping()) {
    activity->Start("waiting to crash");
    std::this_thread::sleep_for(std::chrono::milliseconds(random_.Uniform(100)));
    activity->Start("opening a crash clone");
    Crash();
  }
  activity->Start(nullptr);
}

void CrashThread::Crash() {
  const auto policy = env::kAllCrashPolicies[random_.Uniform(env::kAllCrashPolicies.size())];
  // Both before the image is taken.
  const uint64_t moment = NowNanos();
  const uint64_t synced = world_->synced_moment();
  const auto clone = environment_->memory()->CrashClone(policy, random_.Next());
  const uint64_t must = policy == env::CrashPolicy::kEverything ? moment : synced;
  const std::string what =
      absl::StrCat("after a crash (", std::string(env::CrashPolicyName(policy)), ")");
  world_->reporter->Add(Count::kCrashClones);
  for (int time = 0; time < 2; ++time) {
    auto db = environment_->OpenClone(clone);
    if (!db.ok()) return world_->reporter->Fail(absl::StrCat(what, ": ", db.status().ToString()));
    const SumResult sum = CheckSum(*world_, db->get(), {}, SumMethod::kForward);
    world_->ExpectNone(sum.problem, what.c_str());
    const ScanResult scan = ScanWindow(*world_, db->get(), {}, {0, world_->keys.size()},
                                       time == 0 ? Direction::kForward : Direction::kBackward);
    world_->ExpectNone(scan.problem, what.c_str());
    for (const absl::Status& status : {sum.status, scan.status, (*db)->Verify()}) {
      if (!status.ok()) world_->reporter->Fail(absl::StrCat(what, ": ", status.ToString()));
    }
    if (world_->reporter->failed()) return;
    world_->ExpectNone(CheckState(*world_, scan.seen, must, moment, Moment::kAfterCrash),
                       what.c_str());
    // The second time: what recovery made of it must be as good.
    if (random_.Uniform(2) == 0) continue;
    const absl::Status closed = (*db)->Close();
    if (!closed.ok()) world_->reporter->Fail(absl::StrCat(what, ", close: ", closed.ToString()));
  }
}

}  // namespace cambium::stress
