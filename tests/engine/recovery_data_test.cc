// Recovery, step by step: testdata/ says what a database goes through, and what is there
// afterwards. Tasks run one after the other in the test's thread, so that every run is the same.
//
//   open               prints what it recovered, or the error
//   put, delete        one entry a line: "key value", "key"; `sync` for a synced write
//   fill               `count` keys from "k0000" on, with values of `size` bytes
//   flush, compact     as the calls of DB
//   close              as the call; crash: the process ends, and the disk is as `policy` says
//   remove, cut        of the newest file of that `type`: removes it, or cuts off its last `bytes`
//   show               prints the entries, with values shortened
//   files              prints how many files there are of each type
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file_names.h"
#include "cambium/db.h"
#include "env/testing/inline_executor.h"
#include "env/testing/manual_clock.h"
#include "env/testing/mem_file_system.h"
#include "tests/support/data_driven.h"

namespace cambium {
namespace {

using test::DataCommand;

std::string Outcome(const absl::Status& status) {
  return status.ok() ? "ok" : std::string(status.ToString());
}

const char* NameOf(FileType type) {
  switch (type) {
    case FileType::kTable:
      return "table";
    case FileType::kLog:
      return "log";
    case FileType::kManifest:
      return "manifest";
    case FileType::kCurrent:
      return "current";
    default:
      return "other";
  }
}

// What a data file works on. Confined to one test.
class RecoveryWorld {
 public:
  RecoveryWorld() : disk_(std::make_shared<env::MemFileSystem>()) {}

  std::string Run(const DataCommand& command) {
    if (command.name == "open") return Open(command);
    if (command.name == "crash") return Crash(command);
    if (command.name == "remove" || command.name == "cut") return Damage(command);
    if (command.name == "files") return Files();
    if (db_ == nullptr) {
      ADD_FAILURE() << command.where << ": no database is open";
      return "";
    }
    if (command.name == "put" || command.name == "delete") return Write(command);
    if (command.name == "fill") return Fill(command);
    if (command.name == "flush") return Outcome(db_->Flush());
    if (command.name == "compact") return Outcome(db_->CompactRange(std::nullopt, std::nullopt));
    if (command.name == "show") return Show();
    if (command.name == "close") {
      const absl::Status status = db_->Close();
      db_ = nullptr;
      return Outcome(status);
    }
    ADD_FAILURE() << command.where << ": no command " << command.name;
    return "";
  }

 private:
  std::string Open(const DataCommand& command) {
    Options options;
    options.file_system = disk_;
    options.executor = std::make_shared<env::InlineExecutor>(1);
    options.clock = std::make_shared<env::ManualClock>();
    options.memory_budget = size_t{1} << 20;
    options.create_if_missing = command.arguments.count("existing") == 0;
    auto db = DB::Open(options, "db");
    if (!db.ok()) return Outcome(db.status());
    db_ = *std::move(db);
    const Stats stats = db_->GetStats();
    uint64_t files = 0;
    for (const LevelStats& level : stats.levels) files += level.files;
    return absl::StrCat("ok: last sequence ", stats.last_sequence, ", frozen memtables ",
                        stats.frozen_memtables_now, ", tables ", files);
  }
  std::string Crash(const DataCommand& command) {
    const std::string wanted = command.Text("policy", "synced-only");
    for (const env::CrashPolicy policy : env::kAllCrashPolicies) {
      if (env::CrashPolicyName(policy) != wanted) continue;
      std::shared_ptr<env::MemFileSystem> image = disk_->CrashClone(policy, 1);
      db_ = nullptr;
      disk_ = std::move(image);
      return "";
    }
    ADD_FAILURE() << command.where << ": no policy " << wanted;
    return "";
  }
  std::string Write(const DataCommand& command) {
    WriteOptions options;
    options.sync = command.arguments.count("sync") != 0;
    const std::vector<std::string> lines = absl::StrSplit(command.input, '\n', absl::SkipEmpty());
    for (const std::string& line : lines) {
      const std::pair<std::string, std::string> entry =
          absl::StrSplit(line, absl::MaxSplits(' ', 1));
      const absl::Status status = command.name == "put"
                                      ? db_->Put(entry.first, entry.second, options)
                                      : db_->Delete(entry.first, options);
      if (!status.ok()) return Outcome(status);
    }
    return "";
  }
  std::string Fill(const DataCommand& command) {
    const std::string value(command.Number("size", 100), 'f');
    for (uint64_t i = 0; i < command.Number("count", 1); ++i) {
      const absl::Status status = db_->Put(absl::StrFormat("k%04d", i), value);
      if (!status.ok()) return Outcome(status);
    }
    return "";
  }
  std::string Damage(const DataCommand& command) {
    std::map<uint64_t, std::string> found;
    for (const auto& [name, file] : Listing()) {
      if (NameOf(file.type) == command.Text("type", "")) found[ToInteger(file.number)] = name;
    }
    if (found.empty()) {
      ADD_FAILURE() << command.where << ": there is no such file";
      return "";
    }
    const std::string path = JoinPath("db", found.rbegin()->second);
    if (command.name == "remove") return Outcome(disk_->Remove(path));
    const uint64_t size = disk_->FileSize(path).value_or(0);
    return Outcome(disk_->Truncate(path, size - std::min(size, command.Number("bytes", 1))));
  }
  std::string Show() {
    std::string text;
    const std::unique_ptr<Iterator> it = db_->NewIterator();
    uint64_t filled = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      filled += it->key().front() == 'k';
      if (it->key().front() == 'k') continue;
      absl::StrAppend(&text, std::string(it->key()), " ", std::string(it->value()), "\n");
    }
    if (filled > 0) absl::StrAppend(&text, filled, " filled keys\n");
    absl::StrAppend(&text, Outcome(it->status()));
    return text;
  }
  std::string Files() {
    std::map<std::string, int> counts;
    for (const auto& [name, file] : Listing()) ++counts[NameOf(file.type)];
    std::string text;
    for (const auto& [type, count] : counts) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", type, " ", count);
    }
    return text;
  }
  std::vector<std::pair<std::string, ParsedFileName>> Listing() {
    std::vector<std::pair<std::string, ParsedFileName>> files;
    const auto names = disk_->ListDirectory("db");
    EXPECT_TRUE(names.ok()) << names.status();
    for (const std::string& name : *names) {
      const auto file = ParseFileName(name);
      if (file.has_value()) files.emplace_back(name, *file);
    }
    return files;
  }

  std::shared_ptr<env::MemFileSystem> disk_;
  std::unique_ptr<DB> db_;
};

TEST(RecoveryData, FindsWhatTheFilesSay) {
  for (const std::string& path : test::DataFiles(CAMBIUM_TESTDATA)) {
    RecoveryWorld world;
    test::RunDataFile(path, [&world](const DataCommand& command) { return world.Run(command); });
  }
}

}  // namespace
}  // namespace cambium
