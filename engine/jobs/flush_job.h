// Flush: the frozen memtables of a view become one run of level 0.
#ifndef CAMBIUM_ENGINE_JOBS_FLUSH_JOB_H_
#define CAMBIUM_ENGINE_JOBS_FLUSH_JOB_H_

#include "absl/status/status.h"
#include "engine/jobs/job_world.h"

namespace cambium::engine {

// The newest write that a flush takes along; what is newer belongs to commits that failed, and is
// dropped.
struct FlushLimit {
  SequenceNumber newest = kMaxSequenceNumber;
};

// Flushes every memtable that is frozen when it starts; ok where there is none. At most one flush
// of a tree runs at a time. After an error the memtables are as they were. An error of the file
// system has been noted in context->errors where writes must stop.
absl::Status RunFlush(const JobWorld& world, FlushLimit limit = {});

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_FLUSH_JOB_H_
