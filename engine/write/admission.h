// Admission: decides whether and when a write may continue, with a write controller that knows the
// backlog of flush and compaction.
#ifndef CAMBIUM_ENGINE_WRITE_ADMISSION_H_
#define CAMBIUM_ENGINE_WRITE_ADMISSION_H_

#include <cstddef>

#include "absl/status/status.h"
#include "engine/write/write_controller.h"
#include "engine/write/write_world.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe.
class Admission {
 public:
  explicit Admission(const WriteWorld& world);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Returns ok when a write of that many bytes may continue, at once if nothing delays writers;
  // otherwise returns the reason why writes do not work.
  absl::Status Admit(size_t bytes) {
    const std::optional<WriteController::Ticket> ticket = controller_.Admit(bytes);
    if (!ticket.has_value()) [[likely]]
      return absl::OkStatus();
    return AwaitTurn(*ticket);
  }
  // Passes the current load to the write controller. Call it after each change of its inputs. Calls
  // are serialized, so the last one to publish has seen every change.
  void UpdateLoad() ABSL_LOCKS_EXCLUDED(load_mu_);

 private:
  // Waits, in short steps, until the write controller admits the write. Returns early with the
  // reason if writes no longer work.
  absl::Status AwaitTurn(WriteController::Ticket ticket);

  const WriteWorld world_;
  WriteController controller_;
  Mutex load_mu_{LockRank::kLoad};
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_ADMISSION_H_
