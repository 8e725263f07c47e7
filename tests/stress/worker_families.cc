// The worker's own column family: it comes and goes while the other threads work.
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "env/clock.h"
#include "tests/stress/model/outcome.h"
#include "tests/stress/worker.h"

namespace cambium::stress {

void Worker::UseFamily() {
  if (family_.handle == nullptr) return CreateFamily();
  switch (random_.Uniform(10)) {
    case 0:
      return DropFamily();
    case 1:
      return RenameFamily();
    case 2: {
      const uint64_t mark = Mark();
      world_->Expect(world_->db->CompactRange(*family_.handle), mark, "compact a family");
      return;
    }
    case 3:
    case 4:
      return ScanFamily();
    case 5:
      return PutFleeting();
    case 6:
      return ClearFamily();
    default:
      return WriteFamily();
  }
}

std::string Worker::NewFamilyName() {
  // Names of earlier sessions are in use: families stay at the end of a session.
  return absl::StrCat("worker ", owner_, " ", NowNanos(), " ", family_.serial++);
}

void Worker::CreateFamily() {
  const uint64_t mark = Mark();
  std::string name = NewFamilyName();
  auto made = world_->db->CreateColumnFamily(name);
  if (!world_->Expect(made.status(), mark, "create a family")) return;
  family_.handle = *std::move(made);
  family_.name = std::move(name);
  family_.contents.clear();
  family_.fleeting.clear();
}

void Worker::WriteFamily() {
  WriteBatch batch;
  std::map<std::string, std::string> next = family_.contents;
  const uint64_t count = 1 + random_.Uniform(20);
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = absl::StrCat(random_.Uniform(200));
    if (random_.Uniform(4) == 0) {
      batch.Delete(*family_.handle, key);
      next.erase(key);
    } else if (random_.Uniform(12) == 0) {
      DeleteRangeOfFamily(key, &batch, &next);
    } else {
      std::string value = absl::StrCat(key, ":", random_.Uniform(1 << 30));
      value.resize(value.size() + random_.Uniform(500), '.');
      batch.Put(*family_.handle, key, value);
      next[key] = std::move(value);
    }
  }
  const uint64_t mark = Mark();
  FinishFamilyWrite(world_->db->Write(batch, DrawWriteOptions()), mark, std::move(next));
}

void Worker::DeleteRangeOfFamily(const std::string& key, WriteBatch* batch,
                                 std::map<std::string, std::string>* contents) {
  const std::string end = absl::StrCat(random_.Uniform(200));
  if (random_.Uniform(20) == 0) {
    batch->DeleteFrom(*family_.handle, key);
    contents->erase(contents->lower_bound(key), contents->end());
    return;
  }
  batch->DeleteRange(*family_.handle, key, end);
  if (key < end) contents->erase(contents->lower_bound(key), contents->lower_bound(end));
}

void Worker::ClearFamily() {
  const uint64_t mark = Mark();
  const absl::Status status = world_->db->ClearColumnFamily(*family_.handle);
  if (status.ok()) family_.fleeting.clear();
  FinishFamilyWrite(status, mark, {});
}

void Worker::FinishFamilyWrite(const absl::Status& status, uint64_t mark,
                               std::map<std::string, std::string> next) {
  if (world_->Expect(status, mark, "write to a family")) {
    family_.contents = std::move(next);
  } else if (!IsRefusal(status)) {
    family_.handle = nullptr;  // its contents are not known
  }
}

void Worker::PutFleeting() {
  // Before the other keys, so that no range delete covers it.
  const std::string key = absl::StrCat("!", random_.Uniform(20));
  WriteOptions options = DrawWriteOptions();
  options.ttl = std::chrono::milliseconds(1 + random_.Uniform(200));
  const auto micros = static_cast<uint64_t>(options.ttl->count()) * 1000;
  const uint64_t mark = Mark();
  const uint64_t before = env::DefaultClock()->WallMicros();
  const absl::Status status = world_->db->Put(*family_.handle, key, key, options);
  const uint64_t after = env::DefaultClock()->WallMicros();
  if (world_->Expect(status, mark, "put that expires")) {
    family_.fleeting[key] = {before + micros, after + micros};
  } else if (!IsRefusal(status)) {
    family_.handle = nullptr;
  }
}

void Worker::ScanFamily() {
  const uint64_t mark = Mark();
  std::map<std::string, std::string> found;
  const uint64_t before = env::DefaultClock()->WallMicros();
  const auto it = world_->db->NewIterator(*family_.handle);
  const uint64_t after = env::DefaultClock()->WallMicros();
  if (random_.Uniform(2) == 0) {
    for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace(it->key(), it->value());
  } else {
    for (it->SeekToLast(); it->Valid(); it->Prev()) found.emplace(it->key(), it->value());
  }
  if (!world_->Expect(it->status(), mark, "scan a family")) return;
  for (const auto& [key, span] : family_.fleeting) {
    const bool visible = found.erase(key) != 0;
    if (visible ? before < span.hidden_from : after >= span.visible_until) continue;
    world_->ExpectNone(
        absl::StrCat(key, visible ? " is visible" : " is not visible", " at ", before, " to ",
                     after, ", expires at ", span.visible_until, " to ", span.hidden_from),
        "a value that expires");
  }
  if (found == family_.contents) return;
  world_->ExpectNone(absl::StrCat("\"", family_.name, "\" has ", found.size(), " keys, expected ",
                                  family_.contents.size()),
                     "the contents of a family");
}

void Worker::RenameFamily() {
  const uint64_t mark = Mark();
  std::string name = NewFamilyName();
  const absl::Status status = world_->db->RenameColumnFamily(family_.name, name);
  if (world_->Expect(status, mark, "rename a family")) family_.name = std::move(name);
}

void Worker::DropFamily() {
  const uint64_t mark = Mark();
  const absl::Status status = world_->db->DropColumnFamily(family_.name);
  if (!world_->Expect(status, mark, "drop a family")) return;
  const absl::Status gone = world_->db->Get(*family_.handle, "0").status();
  if (!absl::IsFailedPrecondition(gone)) {
    world_->ExpectNone(gone.ToString(), "a read of a dropped family");
  }
  family_.handle = nullptr;
}

}  // namespace cambium::stress
