// FaultFileSystem: a file system that injects errors by rules.
//
//   FaultFileSystem files(base);
//   // The third sync of a table fails with EIO:
//   files.AddRule({.kind = OperationKind::kSync, .path_part = ".sst", .first_call = 3});
//
// Rules are checked in the order in which they were added; the first one that is due decides. A
// rule whose effect does not exist for a kind of call (a bit flip of a rename) does not match such
// calls. Every matching call counts for every rule, even if another rule decides.
#ifndef CAMBIUM_ENV_TESTING_FAULT_FILE_SYSTEM_H_
#define CAMBIUM_ENV_TESTING_FAULT_FILE_SYSTEM_H_

#include <cerrno>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "env/testing/intercepted_file_system.h"
#include "env/testing/operation.h"

namespace cambium::env {

inline constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

// Observes an operation. Called by the operation's thread with no lock held; may use file systems.
using OperationHook = std::function<void(const Operation&)>;

struct FaultRule {
  std::optional<OperationKind> kind = {};  // empty: every kind
  std::string path_part = {};     // part of the path, or of the new name of a rename or link
  uint64_t first_call = 1;        // first matching call that fails, counted from 1
  uint64_t calls = 1;             // how many fail, from there on; kForever
  Effect effect = Effect::kFail;  // kNone with a hook is a delay, or any action of the hook
  int error_number = EIO;         // for the effects that return an error
  OperationHook hook = {};        // runs before each call that fails
};

class FaultInjector;

// Thread-safe.
class FaultFileSystem final : public InterceptedFileSystem {
 public:
  explicit FaultFileSystem(std::shared_ptr<FileSystem> base,
                           MappingAccess mapping_access = MappingAccess::kShown);

  void AddRule(FaultRule rule);
  void ClearRules();

  // Sets an observer that is called before every mutating operation, even if it then fails; null
  // removes it. A campaign uses it to call CrashClone.
  void SetObserver(OperationHook observer);

  // Returns the number of calls of that kind so far.
  uint64_t Calls(OperationKind kind) const;
  // Returns how often a rule decided.
  uint64_t fired() const;
  // Returns the last faults, oldest first, one per line: the effect and the call.
  std::string DebugString() const;

 private:
  FaultFileSystem(std::shared_ptr<FileSystem> base, std::shared_ptr<FaultInjector> injector,
                  MappingAccess mapping_access);

  const std::shared_ptr<FaultInjector> injector_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_FAULT_FILE_SYSTEM_H_
