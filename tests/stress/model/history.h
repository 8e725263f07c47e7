// The times and versions of the workers' writes: VersionTable has every key's newest versions, and
// OwnerLog the sequence of one worker's writes in a session.
//
// Each key belongs to one worker (key mod workers), and only this worker writes it, with versions
// 1, 2, 3, … Times are nanoseconds of the machine's monotonic clock. They order the writes of
// different threads without making the threads wait for each other: a shared counter or lock here
// would hide missing synchronization in the engine from ThreadSanitizer.
#ifndef CAMBIUM_TESTS_STRESS_MODEL_HISTORY_H_
#define CAMBIUM_TESTS_STRESS_MODEL_HISTORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "util/mutex.h"

namespace cambium::stress {

// Returns the current time; never 0.
uint64_t NowNanos();

#if defined(__SANITIZE_THREAD__)
// On x86 the hardware preserves the order; the sanitizer must not treat it as synchronization.
inline constexpr std::memory_order kPublish = std::memory_order_relaxed;
inline constexpr std::memory_order kObserve = std::memory_order_relaxed;
#else
inline constexpr std::memory_order kPublish = std::memory_order_release;
inline constexpr std::memory_order kObserve = std::memory_order_acquire;
#endif

// For each key, the last acknowledged version and the last issued one. A reader that loads `acked`,
// reads the database, and loads `issued` must have seen a version in between. When no writes run,
// versions above `acked` have an unknown outcome. Thread-safe; one writer per key.
class VersionTable {
 public:
  explicit VersionTable(uint32_t keys) : cells_(keys) {}

  uint32_t acked(uint32_t key) const { return cells_[key].acked.load(kObserve); }
  uint32_t issued(uint32_t key) const { return cells_[key].issued.load(kObserve); }
  void SetAcked(uint32_t key, uint32_t version) { cells_[key].acked.store(version, kPublish); }
  void SetIssued(uint32_t key, uint32_t version) { cells_[key].issued.store(version, kPublish); }
  uint32_t size() const { return static_cast<uint32_t>(cells_.size()); }

 private:
  struct Cell {
    std::atomic<uint32_t> acked{0};
    std::atomic<uint32_t> issued{0};
  };
  std::vector<Cell> cells_;
};

enum class Outcome : uint8_t { kPending, kAcked, kUnknown };

struct LoggedEdit {
  uint32_t key = 0;
  uint32_t version = 0;
};

// One write: the edits [first_edit, first edit of the next one).
struct LoggedWrite {
  uint64_t issued_at = 0;
  uint64_t acked_at = 0;
  size_t first_edit = 0;
  Outcome outcome = Outcome::kPending;
  bool synced = false;
};

// The writes of one worker since the session began. Plain data.
struct OwnerHistory {
  std::vector<LoggedWrite> writes;
  std::vector<LoggedEdit> edits;

  size_t EndOfEdits(size_t write) const {
    return write + 1 < writes.size() ? writes[write + 1].first_edit : edits.size();
  }
  // Returns the minimum number of writes that a reader sees that began after `moment`: through the
  // last write that was acknowledged before it.
  size_t AckedBefore(uint64_t moment) const;
};

// Thread-safe; only the owner may call Begin and the functions that end a write.
class OwnerLog {
 public:
  void Begin(const std::vector<LoggedEdit>& edits, bool synced);
  void End(Outcome outcome);
  // The write did not happen.
  void Refuse();
  void Clear();
  OwnerHistory Copy() const;

 private:
  mutable Mutex mu_;
  OwnerHistory history_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_MODEL_HISTORY_H_
