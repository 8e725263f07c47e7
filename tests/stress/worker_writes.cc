// The writes of a worker: its own keys, and transfers between accounts.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "tests/stress/model/outcome.h"
#include "tests/stress/worker.h"

namespace cambium::stress {

uint32_t Worker::DrawOwnKey() {
  const uint32_t callers = world_->settings.callers;
  const uint32_t own = (world_->keys.size() - owner_ + callers - 1) / callers;
  // Half of the draws fall on a few keys.
  const uint64_t among = random_.Uniform(2) == 0 ? own : (own + 9) / 10;
  return owner_ + static_cast<uint32_t>(random_.Uniform(among)) * callers;
}

WriteOptions Worker::DrawWriteOptions() {
  WriteOptions options;
  if (world_->Unlogged(owner_)) {
    options.disable_wal = true;
  } else {
    options.sync = random_.Uniform(100) < world_->settings.synced_percent;
  }
  return options;
}

std::optional<std::chrono::milliseconds> Worker::DrawTtl() {
  const uint64_t draw = random_.Uniform(8);
  if (draw > 2) return std::nullopt;
  return draw == 0 ? std::chrono::milliseconds(0) : std::chrono::hours(24);
}

void Worker::WriteOne() { Issue({DrawOwnKey()}, DrawWriteOptions()); }

void Worker::WriteBatchOfKeys() {
  std::vector<uint32_t> keys;
  const uint64_t count = 1 + random_.Uniform(random_.Uniform(50) == 0 ? 200 : 12);
  for (uint64_t i = 0; i < count; ++i) keys.push_back(DrawOwnKey());
  Issue(keys, DrawWriteOptions());
}

void Worker::Issue(const std::vector<uint32_t>& keys, WriteOptions options) {
  std::vector<LoggedEdit> edits;
  WriteBatch batch;
  std::string name;
  std::optional<std::string> value;
  for (const uint32_t key : keys) {
    const uint32_t version = world_->versions.issued(key) + 1;
    world_->versions.SetIssued(key, version);
    edits.push_back({key, version});
    name = world_->keys.Spell(key, &random_);
    value = world_->contents.Make(key, version);
    if (value.has_value()) {
      batch.Put(name, *value, DrawTtl());
    } else {
      batch.Delete(name);
    }
  }
  options.ttl = DrawTtl();
  world_->logs[owner_]->Begin(edits, options.sync);
  const uint64_t issued_at = NowNanos();
  const uint64_t mark = Mark();
  absl::Status status;
  if (keys.size() > 1 || random_.Uniform(8) == 0) {
    status = world_->db->Write(batch, options);
  } else if (random_.Uniform(4) == 0) {
    status = Update(keys.front(), name, value, options);
  } else if (value.has_value()) {
    status = world_->db->Put(name, *value, options);
  } else {
    status = world_->db->Delete(name, options);
  }
  world_->Expect(status, mark, "write");
  Settle(edits, status, options.sync, issued_at);
}

absl::Status Worker::Update(uint32_t key, const std::string& name,
                            const std::optional<std::string>& value, const WriteOptions& options) {
  const uint32_t acked = world_->versions.acked(key);
  return world_->db->Update(
      name,
      [&](std::optional<std::string_view> current) {
        const Seen seen = world_->contents.Classify(key, current);
        world_->ExpectNone(CheckSeen(*world_, key, acked, seen), "update of an own key");
        return value;
      },
      options);
}

void Worker::Settle(const std::vector<LoggedEdit>& edits, const absl::Status& status, bool synced,
                    uint64_t issued_at) {
  OwnerLog* const log = world_->logs[owner_].get();
  if (status.ok()) {
    log->End(Outcome::kAcked);
    for (const LoggedEdit& edit : edits) world_->versions.SetAcked(edit.key, edit.version);
    if (synced) world_->NoteSynced(issued_at);
    return;
  }
  world_->reporter->Add(Count::kRefused);
  if (IsRefusal(status)) {
    log->Refuse();
    for (const LoggedEdit& edit : edits) {
      world_->versions.SetIssued(edit.key, world_->versions.issued(edit.key) - 1);
    }
  } else {
    log->End(Outcome::kUnknown);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1));  // refusals come fast
}

void Worker::Transfer() {
  const WriteOptions options = {.sync = random_.Uniform(100) < world_->settings.synced_percent};
  const uint64_t issued_at = NowNanos();
  const uint64_t mark = Mark();
  const absl::Status status = world_->ledger.Transfer(world_->db, options, &random_);
  world_->Expect(status, mark, "transfer");
  if (status.ok() && options.sync) world_->NoteSynced(issued_at);
}

}  // namespace cambium::stress
