// What a worker asks of a database besides reads and writes.
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/stress/worker.h"

namespace cambium::stress {

void Worker::Flush() {
  const uint64_t mark = Mark();
  const uint64_t moment = NowNanos();
  const absl::Status status = world_->db->Flush();
  if (world_->Expect(status, mark, "flush")) world_->NoteSynced(moment);
}

void Worker::Compact() {
  const Window window = DrawWindow();
  const std::string begin = world_->keys.Bound(window.begin);
  const std::string end = world_->keys.Bound(window.end);
  std::optional<std::string_view> low, high;
  if (random_.Uniform(3) != 0) low = begin;
  if (random_.Uniform(3) != 0) high = end;
  const uint64_t mark = Mark();
  const absl::Status status = world_->db->CompactRange(low, high);
  // A file that a compaction found damaged stays out of all others, after the next Open too.
  if (absl::IsDataLoss(status) && world_->settings.lies) return;
  world_->Expect(status, mark, "compact-range");
}

void Worker::Verify() {
  const uint64_t mark = Mark();
  world_->Expect(world_->db->Verify(), mark, "verify");
}

void Worker::LookAround() {
  const uint64_t mark = Mark();
  const Stats stats = world_->db->GetStats();
  if (stats.last_sequence < last_sequence_) {
    world_->ExpectNone(
        absl::StrCat("the last sequence went from ", last_sequence_, " to ", stats.last_sequence),
        "stats");
  }
  last_sequence_ = stats.last_sequence;
  constexpr const char* kProperties[] = {"cambium.levels",
                                         "cambium.stats",
                                         "cambium.version",
                                         "cambium.last-sequence",
                                         "cambium.num-files-at-level0",
                                         "cambium.num-files-at-level6",
                                         "cambium.approximate-memory-usage"};
  const char* const property = kProperties[random_.Uniform(std::size(kProperties))];
  if (!world_->db->GetProperty(property).has_value()) {
    world_->ExpectNone(property, "a property has no value");
  }
  const Window window = DrawWindow();
  const uint64_t size =
      world_->db->ApproximateSize(world_->keys.Bound(window.begin), world_->keys.Bound(window.end));
  if (size > uint64_t{1} << 40) world_->ExpectNone(absl::StrCat(size), "approximate size");
  const Health health = world_->db->GetHealth();
  if (health.state != Health::State::kHealthy && !world_->faults.OpenSince(mark)) {
    // After a read that came short, damage stays noted until the next Open.
    const bool noted = world_->settings.faults && health.state == Health::State::kDamaged;
    if (!noted) world_->ExpectNone(health.cause.ToString(), "health");
  }
}

void Worker::WaitForIdle() {
  const uint64_t mark = Mark();
  world_->Expect(world_->db->WaitForIdle(), mark, "wait-for-idle");
}

}  // namespace cambium::stress
