// Compaction: carries out a plan.
#ifndef CAMBIUM_ENGINE_JOBS_COMPACTION_JOB_H_
#define CAMBIUM_ENGINE_JOBS_COMPACTION_JOB_H_

#include <functional>

#include "absl/status/status.h"
#include "compaction/plan.h"
#include "engine/jobs/job_world.h"

namespace cambium::engine {

// Carries out `plan`, whose files the newest view holds and no other running plan conflicts with. A
// large plan is merged in parts, side by side where the executor has idle threads.
//
// After an error the tree is as it was. Cancelled where `cancelled` answered true. DataLoss where
// an input is damaged: that file is then quarantined, and writes go on (D15). Any other error has
// been noted in context->errors.
absl::Status RunCompaction(const JobWorld& world, const compaction::Plan& plan,
                           const std::function<bool()>& cancelled);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_COMPACTION_JOB_H_
