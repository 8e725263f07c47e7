#include "env/testing/fault_file_system.h"

#include <array>
#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "env/errno_status.h"
#include "env/testing/splitmix.h"
#include "util/absl_view.h"
#include "util/mutex.h"

namespace cambium::env {
namespace {

constexpr size_t kRememberedFaults = 64;

std::string_view EffectName(Effect effect) {
  constexpr std::array<std::string_view, 7> kNames = {
      "hook", "error", "error-but-done", "short", "bit-flip", "misdirected", "stale"};
  return kNames[static_cast<size_t>(effect)];
}

bool AnswersError(Effect effect, OperationKind kind) {
  return effect == Effect::kFail || effect == Effect::kFailDone ||
         (effect == Effect::kShort && kind != OperationKind::kRead);
}

bool Matches(const FaultRule& rule, const Operation& operation) {
  return (!rule.kind.has_value() || *rule.kind == operation.kind) &&
         CanHappen(rule.effect, operation.kind) &&
         (operation.path.find(rule.path_part) != std::string_view::npos ||
          operation.target.find(rule.path_part) != std::string_view::npos);
}

}  // namespace

// Thread-safe.
class FaultInjector final : public Interceptor {
 public:
  Verdict Before(const Operation& operation) override {
    std::shared_ptr<const OperationHook> observer;
    OperationHook hook;
    Verdict verdict;
    {
      MutexLock lock(&mu_);
      ++calls_[static_cast<size_t>(operation.kind)];
      if (IsMutating(operation.kind)) observer = observer_;
      if (const FaultRule* rule = Decide(operation); rule != nullptr) {
        verdict = Judge(*rule, operation);
        hook = rule->hook;
      }
    }
    if (observer != nullptr) (*observer)(operation);
    if (hook) hook(operation);
    return verdict;
  }

  void After(const Operation&, const absl::Status&) override {}

  void AddRule(FaultRule rule) {
    MutexLock lock(&mu_);
    rules_.push_back({.rule = std::move(rule)});
  }

  void ClearRules() {
    MutexLock lock(&mu_);
    rules_.clear();
  }

  void SetObserver(OperationHook observer) {
    auto shared = observer ? std::make_shared<const OperationHook>(std::move(observer)) : nullptr;
    MutexLock lock(&mu_);
    observer_.swap(shared);
  }

  uint64_t Calls(OperationKind kind) const {
    MutexLock lock(&mu_);
    return calls_[static_cast<size_t>(kind)];
  }

  uint64_t fired() const {
    MutexLock lock(&mu_);
    return fired_;
  }

  std::string DebugString() const {
    MutexLock lock(&mu_);
    std::string text;
    for (const std::string& fault : faults_) absl::StrAppend(&text, fault, "\n");
    return text;
  }

 private:
  struct CountedRule {
    FaultRule rule;
    uint64_t matched = 0;
  };

  // Counts the call for every matching rule. Returns the first rule that is due, or null.
  const FaultRule* Decide(const Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const FaultRule* decides = nullptr;
    for (CountedRule& counted : rules_) {
      const FaultRule& rule = counted.rule;
      if (!Matches(rule, operation)) continue;
      ++counted.matched;
      const bool due =
          counted.matched >= rule.first_call && counted.matched - rule.first_call < rule.calls;
      if (due && decides == nullptr) decides = &rule;
    }
    return decides;
  }

  Verdict Judge(const FaultRule& rule, const Operation& operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ++fired_;
    const std::string_view name = OperationKindName(operation.kind);
    faults_.push_back(absl::StrCat("#", fired_, " ", ToAbsl(EffectName(rule.effect)), " of ",
                                   ToAbsl(name), " call ",
                                   calls_[static_cast<size_t>(operation.kind)], " ",
                                   ToAbsl(operation.path), " at ", operation.offset));
    if (faults_.size() > kRememberedFaults) faults_.pop_front();
    Verdict verdict = {.effect = rule.effect, .draw = SplitMix(fired_).Next()};
    if (AnswersError(rule.effect, operation.kind)) {
      verdict.status = ErrnoStatus(FromAbsl(absl::StrCat("injected: ", ToAbsl(name))),
                                   operation.path, rule.error_number);
    }
    return verdict;
  }

  mutable Mutex mu_;
  std::vector<CountedRule> rules_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const OperationHook> observer_ ABSL_GUARDED_BY(mu_);
  std::array<uint64_t, kOperationKindCount> calls_ ABSL_GUARDED_BY(mu_) = {};
  uint64_t fired_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<std::string> faults_ ABSL_GUARDED_BY(mu_);
};

FaultFileSystem::FaultFileSystem(std::shared_ptr<FileSystem> base, MappingAccess mapping_access)
    : FaultFileSystem(std::move(base), std::make_shared<FaultInjector>(), mapping_access) {}

FaultFileSystem::FaultFileSystem(std::shared_ptr<FileSystem> base,
                                 std::shared_ptr<FaultInjector> injector,
                                 MappingAccess mapping_access)
    : InterceptedFileSystem(std::move(base), injector, mapping_access),
      injector_(std::move(injector)) {}

void FaultFileSystem::AddRule(FaultRule rule) { injector_->AddRule(std::move(rule)); }

void FaultFileSystem::ClearRules() { injector_->ClearRules(); }

void FaultFileSystem::SetObserver(OperationHook observer) {
  injector_->SetObserver(std::move(observer));
}

uint64_t FaultFileSystem::Calls(OperationKind kind) const { return injector_->Calls(kind); }

uint64_t FaultFileSystem::fired() const { return injector_->fired(); }

std::string FaultFileSystem::DebugString() const { return injector_->DebugString(); }

}  // namespace cambium::env
