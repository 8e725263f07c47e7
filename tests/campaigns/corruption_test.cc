// Damage: each byte of each file of a small database turned over, each file cut at each length,
// files swapped. Whatever is read then is right, or is DataLoss that names the file.
//
// Two databases are damaged: one that was closed, and one whose process was killed, with a log of
// its own; the killed one may lose writes at its log's end that were not synced, as after a power
// cut: only the log itself says how much of it was synced. Of a closed database nothing may be lost
// without DataLoss, whatever is cut off or removed.
//
// Environment: CAMBIUM_DAMAGE_EVERY, look at every n-th byte only (default 1);
// CAMBIUM_DAMAGE_CASE, look at that case alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "cambium/db.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/indexed_writes.h"
#include "tests/support/status_test.h"

namespace cambium {
namespace {

using env::MemFileSystem;

constexpr char kPath[] = "db";
constexpr int kKeys = 120;
constexpr size_t kMaxValue = 90;
// Behind the last byte of a log that is not zero, one byte in so many is turned over.
constexpr size_t kTailStride = 97;

Options SmallOptions(std::shared_ptr<FileSystem> files) {
  Options options;
  options.file_system = std::move(files);
  options.executor = std::make_shared<env::InlineExecutor>(1);
  options.memory_budget = size_t{1} << 20;
  options.memtable_size = size_t{64} << 10;
  return options;
}

// A database to be damaged, and what it holds.
struct Victim {
  const char* name = "";
  std::shared_ptr<MemFileSystem> disk;
  std::map<std::string, std::string> files;
  test::IndexedWrites writes{7, kKeys, kMaxValue};
  uint64_t flushed = 0;  // writes in tables
  bool closed = false;
  uint64_t least = 0;  // writes that must survive a flipped bit of the log, unless it is reported
};

std::map<std::string, std::string> ReadFiles(FileSystem* disk) {
  std::map<std::string, std::string> files;
  const auto names = disk->ListDirectory(kPath);
  CAMBIUM_EXPECT_OK(names);
  for (const std::string& name : *names) {
    const auto file = disk->OpenRandomAccess(JoinPath(kPath, name));
    std::string bytes(*(*file)->Size(), '\0');
    ReadRequest request;
    request.buffer = bytes.data();
    request.size = bytes.size();
    (*file)->Read({&request, 1});
    CAMBIUM_EXPECT_OK(request.status);
    files[name] = std::move(bytes);
  }
  return files;
}

// kClosedUnlogged: the last writes before Close are in no log.
enum class End { kClosed, kClosedUnlogged, kKilled };

// Tables on two levels, a manifest with several edits, a log with live records.
std::unique_ptr<Victim> MakeVictim(End end) {
  auto victim = std::make_unique<Victim>();
  victim->name = end == End::kKilled ? "killed" : "closed";
  auto disk = std::make_shared<MemFileSystem>();
  auto db = *DB::Open(SmallOptions(disk), kPath);
  const auto write = [&](int count, const WriteOptions& options) {
    for (int i = 0; i < count; ++i) {
      CAMBIUM_EXPECT_OK(victim->writes.WriteNext(db.get(), options));
    }
  };
  write(150, {});
  CAMBIUM_EXPECT_OK(db->CompactRange());
  write(40, {});
  CAMBIUM_EXPECT_OK(db->Flush());
  victim->flushed = victim->writes.issued();
  write(20, {});
  write(1, {.sync = true});
  victim->least = victim->writes.issued();
  write(10, {});
  if (end == End::kClosedUnlogged) write(10, {.disable_wal = true});
  size_t levels = 0;
  for (const LevelStats& level : db->GetStats().levels) levels += level.files != 0 ? 1 : 0;
  EXPECT_EQ(levels, 2u);
  if (end != End::kKilled) {
    CAMBIUM_EXPECT_OK(db->Close());
    victim->least = victim->writes.issued();
  }
  victim->closed = end != End::kKilled;
  victim->disk = disk->CrashClone(env::CrashPolicy::kEverything, 1);
  victim->files = ReadFiles(victim->disk.get());
  return victim;
}

struct Tally {
  uint64_t points = 0;     // places of damage
  uint64_t fired = 0;      // databases opened
  uint64_t recovered = 0;  // every result was right
  uint64_t told = 0;       // DataLoss, and no wrong result
  uint64_t failed = 0;
};

// Files whose content is replaced by others; nullopt: which are removed.
using Damage = std::map<std::string, std::optional<std::string>>;

// Checks the results of one damaged database. Confined to one thread.
class Examination {
 public:
  Examination(Victim* victim, const Damage& damage) : victim_(victim), damage_(damage) {}

  // Returns an empty string, or the wrong result.
  std::string Run() {
    const auto disk = victim_->disk->CrashClone(env::CrashPolicy::kEverything, 1);
    for (const auto& [name, bytes] : damage_) {
      const std::string path = JoinPath(kPath, name);
      disk->Remove(path).IgnoreError();
      if (!bytes.has_value()) continue;
      const auto file = disk->CreateWritable(path);
      if (!file.ok() || !(*file)->Append(*bytes).ok() || !(*file)->Close().ok()) {
        return absl::StrCat("cannot make ", path);
      }
    }
    const auto db = DB::Open(SmallOptions(disk), kPath);
    if (!db.ok()) {
      Judge("open", db.status());
      return problem_;
    }
    db_ = db->get();
    FindPrefix();
    if (problem_.empty()) Scan();
    if (problem_.empty()) GetAll();
    if (problem_.empty()) Judge("verify", verified_ = db_->Verify());
    if (problem_.empty()) CheckHealth();
    return problem_;
  }

  // Returns true if any result was DataLoss.
  bool told() const { return told_; }
  bool verified() const { return verified_.ok(); }

 private:
  // Takes ok, or DataLoss that names a damaged file.
  void Judge(const std::string& what, const absl::Status& status) {
    if (status.ok() || !problem_.empty()) return;
    told_ = true;
    const std::string text = status.ToString();
    const bool named = std::any_of(damage_.begin(), damage_.end(), [&](const auto& file) {
      return text.find(file.first) != std::string::npos;
    });
    if (absl::IsDataLoss(status) && named) return;
    problem_ = absl::StrCat(what, ": expected DataLoss that names the file, got ", text);
  }

  void FindPrefix() {
    const auto prefix = test::PrefixOf(db_);
    prefix_ = victim_->writes.issued();
    if (!prefix.ok()) return Judge("get of the marker", prefix.status());
    prefix_ = *prefix;
    const uint64_t least = LeastPrefix();
    if (prefix_ >= least && prefix_ <= victim_->writes.issued()) return;
    problem_ = absl::StrCat("silently holds prefix ", prefix_, ", expected ", least, " … ",
                            victim_->writes.issued());
  }

  // The log of a killed process that was cut, or that is another file altogether, has lost the very
  // bytes that say how much of it was synced: a power cut before the first sync may look the same.
  // (A table, a manifest or a closed log is vouched for elsewhere.)
  uint64_t LeastPrefix() const {
    uint64_t least = victim_->writes.issued();
    if (victim_->closed) return least;
    for (const auto& [name, bytes] : damage_) {
      if (ParseFileName(name)->type != FileType::kLog) continue;
      size_t different = 0;
      const std::string& original = victim_->files.at(name);
      for (size_t i = 0; i < std::min(bytes->size(), original.size()); ++i) {
        different += (*bytes)[i] == original[i] ? 0 : 1;
      }
      const bool flipped = bytes->size() == original.size() && different == 1;
      least = flipped ? victim_->least : victim_->flushed;
    }
    return least;
  }

  void Scan() {
    const test::Model& model = victim_->writes.At(prefix_);
    const auto it = db_->NewIterator();
    auto place = model.begin();
    for (it->SeekToFirst(); it->Valid() && problem_.empty(); it->Next()) {
      if (place == model.end() || it->key() != place->first || it->value() != place->second) {
        problem_ = absl::StrCat("the scan has ", std::string(it->key()), " = ",
                                std::string(it->value().substr(0, 20)));
        return;
      }
      ++place;
    }
    Judge("scan", it->status());
    if (it->status().ok() && place != model.end()) problem_ = "the scan ends early, ok";
    auto back = model.rbegin();
    for (it->SeekToLast(); it->Valid() && problem_.empty(); it->Prev()) {
      if (back == model.rend() || it->key() != back->first || it->value() != back->second) {
        problem_ = absl::StrCat("the scan backward has ", std::string(it->key()));
        return;
      }
      ++back;
    }
    Judge("scan backward", it->status());
    if (it->status().ok() && back != model.rend()) problem_ = "the scan backward ends early, ok";
  }

  void GetAll() {
    const test::Model& model = victim_->writes.At(prefix_);
    PinnedValue value;
    for (int i = 0; i < kKeys && problem_.empty(); ++i) {
      const std::string key = absl::StrCat("key", absl::Dec(i, absl::kZeroPad5));
      const absl::Status status = db_->Get(key, &value);
      const auto place = model.find(key);
      if (absl::IsNotFound(status) && place == model.end()) continue;
      if (status.ok() && place != model.end() && value.view() == place->second) continue;
      Judge(absl::StrCat("get of ", key),
            status.ok() ? absl::InternalError("wrong value") : status);
    }
  }

  // Damage that reads met is said.
  void CheckHealth() {
    if (told_ && verified_.ok() && db_->GetHealth().state != Health::State::kDamaged) {
      problem_ = "reads answered DataLoss, and health says nothing of it";
    }
  }

  Victim* const victim_;
  const Damage& damage_;
  DB* db_ = nullptr;
  uint64_t prefix_ = 0;
  bool told_ = false;
  absl::Status verified_;
  std::string problem_;
};

class Campaign {
 public:
  Campaign(const char* name, End end) : name_(name), victim_(MakeVictim(end)) {}
  ~Campaign() {
    std::printf("damage, %s, %s: points=%llu fired=%llu recovered=%llu told=%llu failed=%llu\n",
                name_, victim_->name, static_cast<unsigned long long>(tally_.points),
                static_cast<unsigned long long>(tally_.fired),
                static_cast<unsigned long long>(tally_.recovered),
                static_cast<unsigned long long>(tally_.told),
                static_cast<unsigned long long>(tally_.failed));
    EXPECT_GT(tally_.fired, 0u) << "nothing was damaged";
    EXPECT_GT(tally_.told, 0u) << "no damage was ever seen";
  }

  const std::map<std::string, std::string>& files() const { return victim_->files; }

  // For the damages that are few: samples of them would be none.
  void TryEveryPoint() { every_ = 1; }

  void Try(const std::string& what, const Damage& damage) {
    const uint64_t point = ++tally_.points;
    if (only_ != 0 ? point != only_ : point % every_ != 0) return;
    if (tally_.failed >= kFailuresShown) return;
    ++tally_.fired;
    Examination examination(victim_.get(), damage);
    std::string problem = examination.Run();
    // All of a table is under its digest.
    const bool table = ParseFileName(damage.begin()->first)->type == FileType::kTable;
    if (problem.empty() && table && !examination.told()) problem = "no one saw the damage";
    if (!problem.empty()) {
      ++tally_.failed;
      const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
      ADD_FAILURE() << what << ": " << problem << "\nrepeat: CAMBIUM_DAMAGE_CASE=" << point
                    << " campaign_corruption_test --gtest_filter=" << test->test_suite_name() << "."
                    << test->name();
      return;
    }
    ++(examination.told() ? tally_.told : tally_.recovered);
  }

 private:
  static constexpr uint64_t kFailuresShown = 5;

  const char* const name_;
  const std::unique_ptr<Victim> victim_;
  const uint64_t only_ = test::FromEnvironment("CAMBIUM_DAMAGE_CASE", 0);
  uint64_t every_ = test::FromEnvironment("CAMBIUM_DAMAGE_EVERY", 1);
  Tally tally_;
};

bool Matters(const std::string& name) { return ParseFileName(name)->type != FileType::kLock; }

// Where a file's zeros at its end begin.
size_t UsedBytes(const std::string& bytes) { return bytes.find_last_not_of('\0') + 1; }

void FlipEachByte(Campaign* campaign, bool (*wanted)(FileType)) {
  for (const auto& [name, bytes] : campaign->files()) {
    if (!Matters(name) || !wanted(ParseFileName(name)->type)) continue;
    const size_t used = UsedBytes(bytes);
    for (size_t i = 0; i < bytes.size(); i += i < used + 64 ? 1 : kTailStride) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
      campaign->Try(absl::StrCat("byte ", i, " of ", name), {{name, damaged}});
    }
  }
}

void CutAtEachLength(Campaign* campaign) {
  for (const auto& [name, bytes] : campaign->files()) {
    if (!Matters(name)) continue;
    const size_t used = UsedBytes(bytes);
    for (size_t size = 0; size < bytes.size(); size += size < used + 8 ? 1 : 1009) {
      campaign->Try(absl::StrCat(name, " cut to ", size), {{name, bytes.substr(0, size)}});
    }
  }
}

TEST(ClosedDamageTest, EachByteOfTheTables) {
  Campaign campaign("bytes of tables", End::kClosed);
  FlipEachByte(&campaign, [](FileType type) { return type == FileType::kTable; });
}

TEST(ClosedDamageTest, EachByteOfTheOtherFiles) {
  Campaign campaign("bytes of other files", End::kClosed);
  FlipEachByte(&campaign, [](FileType type) { return type != FileType::kTable; });
}

TEST(ClosedDamageTest, EachFileCut) {
  Campaign campaign("cuts", End::kClosed);
  CutAtEachLength(&campaign);
}

TEST(ClosedDamageTest, EachFileCutAfterUnloggedWrites) {
  Campaign campaign("cuts after unlogged writes", End::kClosedUnlogged);
  CutAtEachLength(&campaign);
}

TEST(ClosedDamageTest, EachFileRemoved) {
  for (const End end : {End::kClosed, End::kClosedUnlogged}) {
    Campaign campaign("removals", end);
    campaign.TryEveryPoint();
    for (const auto& [name, bytes] : campaign.files()) {
      if (Matters(name)) campaign.Try(absl::StrCat(name, " removed"), {{name, std::nullopt}});
    }
  }
}

TEST(KilledDamageTest, EachByteOfTheOtherFiles) {
  Campaign campaign("bytes of other files", End::kKilled);
  FlipEachByte(&campaign, [](FileType type) { return type != FileType::kTable; });
}

TEST(KilledDamageTest, FilesSwapped) {
  Campaign campaign("swaps", End::kKilled);
  campaign.TryEveryPoint();
  for (const auto& [a, bytes_of_a] : campaign.files()) {
    for (const auto& [b, bytes_of_b] : campaign.files()) {
      if (a >= b || !Matters(a) || !Matters(b)) continue;
      campaign.Try(absl::StrCat(a, " and ", b, " swapped"), {{a, bytes_of_b}, {b, bytes_of_a}});
    }
  }
}

}  // namespace
}  // namespace cambium
