// The reads of a worker, and what it checks of them.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/stress/worker.h"

namespace cambium::stress {
namespace {

constexpr size_t kMostHeld = 4;

Direction DrawDirection(Random* random) {
  return random->Uniform(2) == 0 ? Direction::kForward : Direction::kBackward;
}

// The versions that were acknowledged, of the keys in a window.
std::vector<uint32_t> AckedIn(const World& world, Window window) {
  std::vector<uint32_t> acked;
  for (uint32_t p = window.begin; p < window.end; ++p) {
    acked.push_back(world.versions.acked(world.keys.AtPosition(p)));
  }
  return acked;
}

}  // namespace

ReadOptions Worker::DrawReadOptions() {
  ReadOptions options;
  options.fill_cache = random_.Uniform(4) != 0;
  return options;
}

void Worker::GetOwn() {
  const uint32_t key = DrawOwnKey();
  const uint32_t acked = world_->versions.acked(key);
  const uint64_t mark = Mark();
  const std::string name = world_->keys.Spell(key, &random_);
  const absl::StatusOr<std::string> value = world_->db->Get(name, DrawReadOptions());
  if (!absl::IsNotFound(value.status()) && !world_->Expect(value.status(), mark, "get")) return;
  const Seen seen = world_->contents.Classify(
      key, value.ok() ? std::optional<std::string_view>(*value) : std::nullopt);
  world_->ExpectNone(CheckSeen(*world_, key, acked, seen), "get of an own key");
}

void Worker::GetAny() {
  if (random_.Uniform(8) == 0) {
    const uint64_t mark = Mark();
    absl::Status status;
    world_->ExpectNone(world_->ledger.CheckExact(world_->db, &random_, &status), "account");
    world_->Expect(status, mark, "get of an account");
    return;
  }
  const auto key = static_cast<uint32_t>(random_.Uniform(world_->keys.size()));
  const uint32_t acked = world_->versions.acked(key);
  const uint64_t mark = Mark();
  PinnedValue value;
  const std::string name = world_->keys.Spell(key, &random_);
  const absl::Status status = world_->db->Get(name, &value, DrawReadOptions());
  if (!absl::IsNotFound(status) && !world_->Expect(status, mark, "get")) return;
  const Seen seen =
      world_->contents.Classify(key, status.ok() ? std::optional(value.view()) : std::nullopt);
  world_->ExpectNone(CheckSeen(*world_, key, acked, seen), "get");
  CheckForward(key, seen);
}

void Worker::CheckForward(uint32_t key, const Seen& seen) {
  // A write with an unknown outcome may come and go until the next Open.
  if (world_->settings.faults || seen.kind != Seen::Kind::kVersion) return;
  const auto version = static_cast<uint32_t>(seen.bits);
  if (version < last_seen_[key]) {
    world_->ExpectNone(absl::StrCat("key ", key, " is version ", version, ", this thread saw ",
                                    last_seen_[key], " before"),
                       "a key went backwards");
  }
  last_seen_[key] = version;
}

void Worker::ReadMany() {
  std::vector<uint32_t> keys;
  std::vector<uint32_t> acked;
  std::vector<std::string> names;
  const uint64_t count = 1 + random_.Uniform(40);
  for (uint64_t i = 0; i < count; ++i) {
    keys.push_back(static_cast<uint32_t>(random_.Uniform(world_->keys.size())));
    acked.push_back(world_->versions.acked(keys.back()));
    names.push_back(world_->keys.Spell(keys.back(), &random_));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::vector<PinnedValue> values(count);
  std::vector<absl::Status> statuses(count);
  const uint64_t mark = Mark();
  world_->db->MultiGet(views, values, statuses, DrawReadOptions());
  for (uint64_t i = 0; i < count; ++i) {
    const bool found = statuses[i].ok();
    if (!absl::IsNotFound(statuses[i]) && !world_->Expect(statuses[i], mark, "multi-get")) continue;
    const Seen seen =
        world_->contents.Classify(keys[i], found ? std::optional(values[i].view()) : std::nullopt);
    world_->ExpectNone(CheckSeen(*world_, keys[i], acked[i], seen), "multi-get");
    CheckForward(keys[i], seen);
  }
}

Window Worker::DrawWindow() {
  const uint32_t size = world_->keys.size();
  const auto begin = static_cast<uint32_t>(random_.Uniform(size));
  const uint64_t most = random_.Uniform(10) == 0 ? size : std::min<uint64_t>(size, 100);
  return {begin,
          static_cast<uint32_t>(std::min<uint64_t>(size, begin + random_.Uniform(most + 1)))};
}

void Worker::Scan() {
  const Window window = DrawWindow();
  const std::vector<uint32_t> acked = AckedIn(*world_, window);
  const uint64_t mark = Mark();
  const ScanResult result =
      ScanWindow(*world_, world_->db, DrawReadOptions(), window, DrawDirection(&random_));
  world_->ExpectNone(result.problem, "scan");
  if (!world_->Expect(result.status, mark, "scan") || !result.problem.empty()) return;
  for (uint32_t i = 0; i < window.size(); ++i) {
    const uint32_t key = world_->keys.AtPosition(window.begin + i);
    world_->ExpectNone(CheckSeen(*world_, key, acked[i], result.seen[i]), "scan");
    CheckForward(key, result.seen[i]);
  }
}

void Worker::Sum() {
  const uint64_t mark = Mark();
  ReadOptions read = DrawReadOptions();
  auto method = static_cast<SumMethod>(random_.Uniform(4));
  if (method == SumMethod::kGets || random_.Uniform(3) == 0) {
    read.snapshot = world_->db->GetSnapshot();
  }
  const SumResult result = CheckSum(*world_, world_->db, read, method);
  world_->ExpectNone(result.problem, "sum");
  world_->Expect(result.status, mark, "sum");
}

void Worker::Hold() {
  HeldSnapshot held;
  held.window = DrawWindow();
  const std::vector<uint32_t> acked = AckedIn(*world_, held.window);
  const uint64_t mark = Mark();
  held.snapshot = world_->db->GetSnapshot();
  ReadOptions read = DrawReadOptions();
  read.snapshot = held.snapshot;
  ScanResult first = ScanWindow(*world_, world_->db, read, held.window, DrawDirection(&random_));
  world_->ExpectNone(first.problem, "scan of a snapshot");
  if (!world_->Expect(first.status, mark, "scan of a snapshot") || !first.problem.empty()) return;
  held.seen = std::move(first.seen);
  for (uint32_t i = 0; i < held.window.size(); ++i) {
    const uint32_t key = world_->keys.AtPosition(held.window.begin + i);
    world_->ExpectNone(CheckSeen(*world_, key, acked[i], held.seen[i]), "scan of a snapshot");
  }
  if (random_.Uniform(2) == 0) {
    held.iterator = NewWindowIterator(*world_, world_->db, read, held.window);
  }
  held_.push_back(std::move(held));
  if (held_.size() > kMostHeld) Reread();
}

void Worker::Reread() {
  if (held_.empty()) return;
  HeldSnapshot held = std::move(held_.front());
  held_.pop_front();
  const uint64_t mark = Mark();
  ReadOptions read = DrawReadOptions();
  read.snapshot = held.snapshot;
  ScanResult again;
  if (held.iterator != nullptr) {
    again = ScanWith(*world_, held.iterator.get(), held.window, DrawDirection(&random_));
  } else {
    again = ScanWindow(*world_, world_->db, read, held.window, DrawDirection(&random_));
  }
  // An iterator keeps the error that it was made with.
  const bool excused = held.iterator != nullptr && world_->settings.faults;
  world_->ExpectNone(again.problem, "re-read of a snapshot");
  if (excused && !again.status.ok()) return;
  if (!world_->Expect(again.status, mark, "re-read of a snapshot")) return;
  world_->reporter->Add(Count::kSnapshots);
  for (uint32_t i = 0; i < held.window.size() && again.problem.empty(); ++i) {
    if (again.seen[i] == held.seen[i]) continue;
    again.problem = absl::StrCat("key ", world_->keys.AtPosition(held.window.begin + i), " was ",
                                 held.seen[i].ToString(), " and is ", again.seen[i].ToString(),
                                 held.iterator ? " (iterator)" : " (snapshot)");
    world_->ExpectNone(again.problem, "a snapshot changed");
  }
  const SumResult sum =
      CheckSum(*world_, world_->db, read, static_cast<SumMethod>(random_.Uniform(4)));
  world_->ExpectNone(sum.problem, "sum of an old snapshot");
  world_->Expect(sum.status, mark, "sum of an old snapshot");
}

void Worker::CheckPrefix() {
  const uint64_t mark = Mark();
  const uint64_t moment = NowNanos();
  ReadOptions read = DrawReadOptions();
  if (random_.Uniform(2) == 0) read.snapshot = world_->db->GetSnapshot();
  const Window all = {0, world_->keys.size()};
  const ScanResult result = ScanWindow(*world_, world_->db, read, all, DrawDirection(&random_));
  world_->ExpectNone(result.problem, "scan of all keys");
  if (!world_->Expect(result.status, mark, "scan of all keys") || !result.problem.empty()) return;
  world_->ExpectNone(CheckState(*world_, result.seen, moment, 0, Moment::kLive),
                     "scan of all keys");
  world_->reporter->Add(Count::kPrefixes);
}

}  // namespace cambium::stress
