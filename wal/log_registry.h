// LogRegistry: where a database records, outside the log, what the log must still have at the next
// Open. The log itself cannot tell that its end was cut off or that its newest file was removed.
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
  // that everything before `reach` was synced. Replaces what was recorded before. May do I/O; the
  // caller holds no lock. After an error it is unknown which of the two is recorded.
  [[nodiscard]] virtual absl::Status RecordReach(LogPosition reach) = 0;

  // Returns the payload of the end record of a log that is closed now, at most kMaxEndPayload
  // bytes.
  virtual std::string EndPayload() = 0;
};

}  // namespace cambium::wal

#endif  // CAMBIUM_WAL_LOG_REGISTRY_H_
