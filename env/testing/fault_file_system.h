// FaultFileSystem: a file system whose calls go wrong by rule.
//
//   FaultFileSystem files(base);
//   files.AddRule({.kind = OperationKind::kSync, .path_part = ".sst", .first_call = 3});   // the
//   third fails, EIO
//
// Rules are looked at in the order of their adding; the first whose turn it is decides. A rule with
// an effect that a kind of call can't have (a bit flip of a rename) does not match calls of that
// kind. Every matching call counts for every rule, also where another decides.
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

// Sees an operation. Called by the thread that does it, with no lock held; may use file systems.
using OperationHook = std::function<void(const Operation&)>;

struct FaultRule {
  std::optional<OperationKind> kind = {};  // none: every kind
  std::string path_part = {};     // somewhere in the path, or in a rename's or link's new name
  uint64_t first_call = 1;        // the first matching call that goes wrong, counted from 1
  uint64_t calls = 1;             // how many do, from there on; kForever
  Effect effect = Effect::kFail;  // kNone with a hook is a delay, or whatever the hook does
  int error_number = EIO;         // for the effects that answer an error
  OperationHook hook = {};        // runs before each call that goes wrong
};

class FaultInjector;

// Thread-safe.
class FaultFileSystem final : public InterceptedFileSystem {
 public:
  explicit FaultFileSystem(std::shared_ptr<FileSystem> base,
                           MappingAccess mapping_access = MappingAccess::kShown);

  void AddRule(FaultRule rule);
  void ClearRules();

  // Called before every mutating operation, whether it then goes wrong or not; null ends that. A
  // campaign takes its CrashClone here.
  void SetObserver(OperationHook observer);

  // Calls of that kind so far.
  uint64_t Calls(OperationKind kind) const;
  // How often a rule decided.
  uint64_t fired() const;
  // The last faults, oldest first, one a line: what was done to which call.
  std::string DebugString() const;

 private:
  FaultFileSystem(std::shared_ptr<FileSystem> base, std::shared_ptr<FaultInjector> injector,
                  MappingAccess mapping_access);

  const std::shared_ptr<FaultInjector> injector_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_FAULT_FILE_SYSTEM_H_
