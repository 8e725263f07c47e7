// LogRegistry: records, outside of the log, the part of the log that must exist at the next Open.
// The log itself cannot detect that its end was cut off or that its newest file was removed.
#ifndef CAMBIUM_WAL_LOG_REGISTRY_H_
#define CAMBIUM_WAL_LOG_REGISTRY_H_

#include <string>

#include "absl/status/status.h"
#include "wal/log_format.h"

namespace cambium::wal {

// Thread-safe. The engine's manifest implements it.
class LogRegistry {
 public:
  virtual ~LogRegistry() = default;

  // Makes durable that the file of segment `reach.segment` exists and, if `reach.offset` is not 0,
  // that everything before `reach` was synced. Replaces the previous value. May do I/O; the caller
  // must hold no lock. After an error it is unknown which of the two values is recorded.
  [[nodiscard]] virtual absl::Status RecordReach(LogPosition reach) = 0;

  // Returns the payload for the end record of a log that is being closed, at most kMaxEndPayload
  // bytes.
  virtual std::string EndPayload() = 0;
};

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_LOG_REGISTRY_H_
