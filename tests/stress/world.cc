#include "tests/stress/world.h"

#include "absl/strings/str_cat.h"

namespace cambium::stress {

World::World(const RoundSettings& round_settings, Reporter* round_reporter)
    : settings(round_settings),
      reporter(round_reporter),
      keys(settings),
      contents(MixBits(settings.seed ^ settings.round << 32), settings.values),
      versions(settings.keys),
      base_versions(settings.keys, 0),
      ledger(&keys, settings.seed, settings.groups) {
  for (uint32_t i = 0; i < settings.callers; ++i) logs.push_back(std::make_unique<OwnerLog>());
}

void World::NoteSynced(uint64_t moment) {
  uint64_t seen = synced_moment_.load(kObserve);
  while (seen < moment && !synced_moment_.compare_exchange_weak(seen, moment, kPublish, kObserve)) {
  }
}

bool World::Expect(const absl::Status& status, uint64_t mark, const char* what) const {
  if (status.ok()) return true;
  const bool damaged = absl::IsDataLoss(status) && lied.load(std::memory_order_relaxed);
  if (!settings.faults || !(damaged || faults.OpenSince(mark))) {
    reporter->Fail(absl::StrCat(what, ": ", status.ToString()));
  }
  return false;
}

void World::ExpectNone(const std::string& problem, const char* what) const {
  if (!problem.empty()) reporter->Fail(absl::StrCat(what, ": ", problem));
}

}  // namespace cambium::stress
