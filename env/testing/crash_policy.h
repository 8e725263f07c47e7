// CrashPolicy: the effect of a power cut on writes that were not synced.
//
// Synced bytes and synced directory entries survive under every policy, unless a later unsynced
// operation (a rename, a removal, a truncation, an overwrite) took effect.
#ifndef CAMBIUM_ENV_TESTING_CRASH_POLICY_H_
#define CAMBIUM_ENV_TESTING_CRASH_POLICY_H_

#include <array>
#include <cstddef>
#include <string_view>

namespace cambium::env {

enum class CrashPolicy {
  kSyncedOnly,       // only synced bytes and entries
  kEverything,       // a process crash: everything, still unsynced in the image
  kPrefix,           // per file a prefix of its unsynced writes; the last may be torn
  kRandomPages,      // per file any of its dirty 4 KiB pages
  kRandomSectors,    // per file any of its dirty 512-byte sectors
  kSizeWithoutData,  // per file its new size, with zeros for the unsynced bytes
  kGarbageTail,      // per file a prefix of its unsynced bytes, the rest random
  kRandomEntries,    // any of a directory's unsynced changes; files whole or as synced
};
// With kPrefix to kGarbageTail a directory keeps a random prefix of its unsynced changes.

inline constexpr std::array kAllCrashPolicies = {
    CrashPolicy::kSyncedOnly,  CrashPolicy::kEverything,    CrashPolicy::kPrefix,
    CrashPolicy::kRandomPages, CrashPolicy::kRandomSectors, CrashPolicy::kSizeWithoutData,
    CrashPolicy::kGarbageTail, CrashPolicy::kRandomEntries,
};

// Returns "synced-only", "everything", …
constexpr std::string_view CrashPolicyName(CrashPolicy policy) {
  constexpr std::array<std::string_view, kAllCrashPolicies.size()> kNames = {
      "synced-only",    "everything",        "prefix",       "random-pages",
      "random-sectors", "size-without-data", "garbage-tail", "random-entries"};
  return kNames[static_cast<size_t>(policy)];
}

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_CRASH_POLICY_H_
