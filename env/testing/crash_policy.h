// CrashPolicy: what a power cut leaves of the writes that were not synced.
//
// Synced bytes and synced directory entries survive under every policy, unless a later unsynced
// operation (a rename, a removal, a truncation, a write over them) took effect.
#ifndef CAMBIUM_ENV_TESTING_CRASH_POLICY_H_
#define CAMBIUM_ENV_TESTING_CRASH_POLICY_H_

#include <array>
#include <cstddef>
#include <string_view>

namespace cambium::env {

enum class CrashPolicy {
  kSyncedOnly,       // only what was synced, bytes and entries
  kEverything,       // a crash of the process: all of it, still unsynced in the image
  kPrefix,           // of each file a prefix of its unsynced writes, the last one perhaps torn
  kRandomPages,      // of each file any of its dirty 4 KiB pages
  kRandomSectors,    // of each file any of its dirty 512-byte sectors
  kSizeWithoutData,  // of each file its new size, with zeros for the unsynced bytes
  kGarbageTail,      // of each file a prefix of its unsynced bytes, the rest random
  kRandomEntries,    // any of a directory's unsynced changes; files whole or as they were synced
};
// Under kPrefix to kGarbageTail a directory keeps a random prefix of its unsynced changes.

inline constexpr std::array kAllCrashPolicies = {
    CrashPolicy::kSyncedOnly,  CrashPolicy::kEverything,    CrashPolicy::kPrefix,
    CrashPolicy::kRandomPages, CrashPolicy::kRandomSectors, CrashPolicy::kSizeWithoutData,
    CrashPolicy::kGarbageTail, CrashPolicy::kRandomEntries,
};

// "synced-only", "everything", …
constexpr std::string_view CrashPolicyName(CrashPolicy policy) {
  constexpr std::array<std::string_view, kAllCrashPolicies.size()> kNames = {
      "synced-only",    "everything",        "prefix",       "random-pages",
      "random-sectors", "size-without-data", "garbage-tail", "random-entries"};
  return kNames[static_cast<size_t>(policy)];
}

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_CRASH_POLICY_H_
