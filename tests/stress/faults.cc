#include "tests/stress/faults.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cambium::stress {
namespace {

using env::Effect;
using env::OperationKind;

constexpr uint64_t kRecoverNanos = 30'000'000'000;

struct Fault {
  std::optional<OperationKind> kind;
  Effect effect = Effect::kFail;
  const char* path_part = "";
};

constexpr std::array kFaults = {
    Fault{OperationKind::kSync},
    Fault{OperationKind::kSync, Effect::kFailDone},
    Fault{OperationKind::kSyncLog},
    Fault{OperationKind::kSyncLog},
    Fault{OperationKind::kAppend},
    Fault{OperationKind::kAppend, Effect::kShort},
    Fault{OperationKind::kAppend, Effect::kFailDone},
    Fault{OperationKind::kAppend, Effect::kFail, "MANIFEST"},
    Fault{OperationKind::kWriteAt},
    Fault{OperationKind::kWriteAt, Effect::kShort},
    Fault{OperationKind::kCreate},
    Fault{OperationKind::kCreateLog},
    Fault{OperationKind::kClose},
    Fault{OperationKind::kCloseLog},
    Fault{OperationKind::kOpen},
    Fault{OperationKind::kRead},
    Fault{OperationKind::kRead, Effect::kShort, ".sst"},
    Fault{OperationKind::kSize},
    Fault{OperationKind::kRename},
    Fault{OperationKind::kRename, Effect::kFailDone},
    Fault{OperationKind::kSyncDirectory},
    Fault{OperationKind::kRemove},
    Fault{OperationKind::kTruncate},
    Fault{OperationKind::kListDirectory},
    Fault{OperationKind::kFileSize},
    Fault{std::nullopt},
};
constexpr std::array kErrors = {ENOSPC, ENOSPC, EIO, EIO, EMFILE, EDQUOT};
constexpr std::array<uint64_t, 4> kCalls = {1, 1, 20, env::kForever};

bool Lies(const Fault& fault) {
  return fault.effect == Effect::kShort && fault.kind == OperationKind::kRead;
}

// A call that takes long.
env::FaultRule DelayRule(Random* random) {
  const uint64_t micros = random->Uniform(30'000);
  env::FaultRule rule;
  rule.first_call = 1 + random->Uniform(20);
  rule.calls = 1 + random->Uniform(20);
  rule.effect = Effect::kNone;
  rule.hook = [micros](const env::Operation&) {
    std::this_thread::sleep_for(std::chrono::microseconds(micros));
  };
  return rule;
}

}  // namespace

void AddRandomRules(env::FaultFileSystem* files, FaultSet set, Random* random) {
  const uint64_t count = 1 + random->Uniform(3);
  for (uint64_t i = 0; i < count; ++i) {
    if (random->Uniform(6) == 0) {
      files->AddRule(DelayRule(random));
      continue;
    }
    const Fault& fault = kFaults[random->Uniform(kFaults.size())];
    if (set == FaultSet::kHonest && Lies(fault)) continue;
    env::FaultRule rule;
    rule.kind = fault.kind;
    rule.path_part = fault.path_part;
    rule.effect = fault.effect;
    rule.first_call = 1 + random->Uniform(10);
    rule.calls = kCalls[random->Uniform(kCalls.size())];
    rule.error_number = kErrors[random->Uniform(kErrors.size())];
    files->AddRule(rule);
  }
}

void FaultThread::Run() {
  Activity* const activity = world_->reporter->activity(kFaultActivity);
  while (!world_->stopping()) {
    activity->Start("calm");
    SleepUpTo(120);
    if (world_->stopping()) break;
    activity->Start("injecting faults");
    world_->faults.Open();
    Inject();
    activity->Start("recovering from faults");
    Recover();
    world_->faults.Close();
  }
  activity->Start(nullptr);
}

void FaultThread::SleepUpTo(uint64_t millis) {
  std::this_thread::sleep_for(std::chrono::milliseconds(random_.Uniform(millis + 1)));
}

void FaultThread::Inject() {
  const uint64_t before = files_->fired();
  if (world_->settings.lies) world_->lied.store(true, std::memory_order_relaxed);
  AddRandomRules(files_, world_->settings.lies ? FaultSet::kAny : FaultSet::kHonest, &random_);
  SleepUpTo(150);
  files_->ClearRules();
  world_->reporter->Add(Count::kFaults, files_->fired() - before);
}

void FaultThread::Recover() {
  const uint64_t deadline = NowNanos() + kRecoverNanos * kSlowness;
  absl::Status resumed, written;
  Health health;
  // Twice well with a pause in between: a job that met a fault may say so late.
  for (int well = 0; well < 2 && !world_->reporter->failed();) {
    health = world_->db->GetHealth();
    if (health.state == Health::State::kReadOnly) {
      resumed = world_->db->Resume();
      world_->reporter->Add(Count::kResumes);
    }
    written = world_->ledger.Transfer(world_->db, {.sync = random_.Uniform(2) == 0}, &random_);
    well = written.ok() ? well + 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(20 * kSlowness));
    if (NowNanos() < deadline) continue;
    world_->reporter->Fail(absl::StrCat(
        "no writing after the faults are over: ", written.ToString(), "; Resume: ",
        resumed.ToString(), "; health: ", health.cause.ToString(), "\n", files_->DebugString()));
  }
}

}  // namespace cambium::stress
