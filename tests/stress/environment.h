// Environment: the files, the executor, and the clock of a round, and the options of its database.
//
// The engine's file system: noise over faults over the real file system or the one in memory.
#ifndef CAMBIUM_TESTS_STRESS_ENVIRONMENT_H_
#define CAMBIUM_TESTS_STRESS_ENVIRONMENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "tests/stress/settings.h"

namespace cambium::stress {

// Immutable after construction; the file systems are thread-safe.
class Environment {
 public:
  // On disk, files are below `scratch`, or below $TMPDIR if it is empty.
  Environment(const RoundSettings& settings, const std::string& scratch);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  // Removes the files.
  ~Environment();

  absl::StatusOr<std::unique_ptr<DB>> Open() const;
  // Opens the files that a crash left.
  absl::StatusOr<std::unique_ptr<DB>> OpenClone(std::shared_ptr<env::MemFileSystem> clone) const;

  const std::string& path() const { return path_; }
  // Returns the file system below the injected faults.
  FileSystem* base() const { return base_.get(); }
  env::FaultFileSystem* faults() const { return faults_.get(); }
  // Returns null if the files are on disk.
  env::MemFileSystem* memory() const { return memory_.get(); }

 private:
  Options MakeOptions() const;

  const RoundSettings settings_;
  std::string directory_;  // to be removed; empty in memory
  std::string path_;
  std::shared_ptr<env::MemFileSystem> memory_;
  std::shared_ptr<FileSystem> base_;
  std::shared_ptr<env::FaultFileSystem> faults_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_ENVIRONMENT_H_
