#include "engine/write/admission.h"

#include <algorithm>
#include <memory>

#include "engine/write/stall_timer.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

WriteLimits LimitsFor(const MemoryPlan& plan) {
  WriteLimits limits;
  limits.memtables_stop = plan.frozen_limit + 1;
  limits.memtables_start = std::max(1.0, limits.memtables_stop / 2);
  return limits;
}

}  // namespace

Admission::Admission(const WriteWorld& world)
    : world_(world), controller_(world.storage->clock, LimitsFor(world.memory->plan)) {}

absl::Status Admission::AwaitTurn(WriteController::Ticket ticket) {
  const StallTimer timer(world_.stats, world_.storage->clock);
  while (const uint64_t micros = controller_.MicrosLeft(ticket)) {
    RETURN_IF_ERROR(world_.errors->WriteStatus());
    RETURN_IF_ERROR(world_.pipeline->status());
    if (controller_.stopped()) {
      RETURN_IF_ERROR(world_.jobs->Await([this] {
        UpdateLoad();
        return !controller_.stopped();
      }));
    } else if (!world_.storage->executor->RunOne()) {
      world_.storage->clock->SleepMicros(micros);
    }
  }
  return absl::OkStatus();
}

void Admission::UpdateLoad() {
  // A writer that waits because of an outdated load updates the load itself (AwaitTurn).
  IfMemoryAllows([this] {
    MutexLock lock(&load_mu_);
    const JobSpeeds speeds = world_.stats->MeasuredSpeeds();
    WriteLoad load;
    load.flush_bytes_per_second = speeds.flush;
    load.compaction_bytes_per_second = speeds.compaction;
    // The number for the tree with the most, but at least the equivalent of all trees' bytes.
    size_t frozen = world_.memory->frozen_bytes / world_.memory->plan.memtable_bytes;
    for (const TreeRef& tree : world_.trees->All()) {
      frozen = std::max(frozen, tree->Pin()->frozen.size());
    }
    load.frozen_memtables = static_cast<int>(frozen);
    const JobScheduler::Backlog backlog = world_.jobs->CountBacklog();
    load.level0_runs = static_cast<int>(backlog.level0_runs);
    load.compaction_debt_bytes = backlog.bytes;
    controller_.Update(load);
  });
}

}  // namespace cambium::engine
