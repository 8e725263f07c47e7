// Database: the measured engine, which benchmarks open, close, and recreate.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_DATABASE_H_
#define CAMBIUM_BENCHMARKS_HARNESS_DATABASE_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "benchmarks/engines/engine.h"
#include "util/status_macros.h"

namespace cambium::bench {

// Confined to one thread at a time.
class Database {
 public:
  explicit Database(EngineSettings settings) : settings_(std::move(settings)) {}

  const EngineSettings& settings() const { return settings_; }
  bool IsOpen() const { return engine_ != nullptr; }
  // The database must be open.
  Engine* engine() { return engine_.get(); }

  // Does nothing if it is open.
  absl::Status Open() {
    if (IsOpen()) return absl::OkStatus();
    ASSIGN_OR_RETURN(engine_, OpenEngine(settings_));
    return absl::OkStatus();
  }
  // Does nothing if it is not open.
  absl::Status Close() {
    if (!IsOpen()) return absl::OkStatus();
    const absl::Status closed = engine_->Close();
    engine_.reset();
    return closed;
  }
  // Closes the database and removes all of it.
  absl::Status Destroy() {
    RETURN_IF_ERROR(Close());
    return DestroyEngine(settings_.path);
  }

 private:
  const EngineSettings settings_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_DATABASE_H_
