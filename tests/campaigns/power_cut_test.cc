// A power cut at every file operation that changes the disk, of a workload with flushes,
// compactions, segment and manifest switches and reopens: whatever the disk kept, Open succeeds and
// finds a prefix of the history with all that was synced, in batches as wholes, with no file left
// over.
//
// Environment: CAMBIUM_CUT_OPS, operations of a workload (default 2,000); CAMBIUM_CUT_SEED, the
// first seed; CAMBIUM_CUT_SEEDS, how many; CAMBIUM_CUT_EVERY, look at every n-th point only;
// CAMBIUM_CUT_POINT, look at that point alone.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "env/testing/trace_file_system.h"
#include "tests/support/classify_file.h"
#include "tests/support/indexed_writes.h"
#include "tests/support/model.h"

namespace cambium {
namespace {

using env::CrashPolicy;
using env::MemFileSystem;
using LogMapping = env::MemOptions::LogMapping;

constexpr char kPath[] = "db";
constexpr int kKeys = 200;
constexpr size_t kMaxValue = 360;

Options SmallOptions(std::shared_ptr<FileSystem> files, uint64_t seed) {
  Options options;
  options.file_system = std::move(files);
  options.executor = std::make_shared<env::InlineExecutor>(seed);
  options.memory_budget = size_t{1} << 20;
  options.memtable_size = size_t{64} << 10;
  options.target_file_size = uint64_t{64} << 10;
  return options;
}

// One cut: the disk as it left it, and what has to be found there.
struct Cut {
  uint64_t point = 0;
  CrashPolicy policy = CrashPolicy::kSyncedOnly;
  uint64_t least = 0;  // the last synced write
  uint64_t most = 0;   // the last one begun
  std::shared_ptr<MemFileSystem> image;
};

struct Tally {
  uint64_t points = 0;     // operations at which the power was cut
  uint64_t fired = 0;      // images made
  uint64_t recovered = 0;  // images with the expected contents
  uint64_t failed = 0;
  uint64_t lossy = 0;         // images that lost something that was not synced
  uint64_t failed_point = 0;  // the point that went wrong, if any did
};

// Opens the image twice and compares it. Empty, or what was wrong.
std::string Recover(const Cut& cut, test::IndexedWrites* writes, Tally* tally) {
  uint64_t prefix = 0;
  for (int pass = 0; pass < 2; ++pass) {
    auto opened = DB::Open(SmallOptions(cut.image, cut.point), kPath);
    if (!opened.ok()) return absl::StrCat("open ", pass + 1, ": ", opened.status().ToString());
    const std::unique_ptr<DB> db = *std::move(opened);
    const absl::StatusOr<uint64_t> found = test::PrefixOf(db.get());
    if (!found.ok()) return found.status().ToString();
    if (pass == 1 && *found != prefix) {
      return absl::StrCat("the second open finds prefix ", *found, ", the first found ", prefix);
    }
    prefix = *found;
    if (prefix < cut.least || prefix > cut.most) {
      return absl::StrCat("prefix ", prefix, " is not in ", cut.least, " … ", cut.most);
    }
    std::string difference = test::Difference(db.get(), writes->At(prefix));
    if (!difference.empty()) {
      return absl::StrCat("open ", pass + 1, ", prefix ", prefix, ": ", difference);
    }
    const absl::Status idle = db->WaitForIdle();
    if (!idle.ok()) return absl::StrCat("idle: ", idle.ToString());
    const std::string orphans = test::OrphansOf(*db, cut.image.get(), kPath);
    if (!orphans.empty()) return absl::StrCat("orphans after open ", pass + 1, ": ", orphans);
    const absl::Status closed = db->Close();
    if (!closed.ok()) return absl::StrCat("close: ", closed.ToString());
  }
  if (prefix < cut.most) ++tally->lossy;
  return "";
}

// A workload on a disk that is cut at every operation. The images are looked at between two
// operations of the workload, not inside of one. Confined to one thread.
class CutRun {
 public:
  CutRun(LogMapping mapping, std::vector<CrashPolicy> policies, uint64_t seed)
      : memory_(std::make_shared<MemFileSystem>(env::MemOptions{mapping})),
        faults_(std::make_shared<env::FaultFileSystem>(memory_)),
        trace_(std::make_shared<env::TraceFileSystem>(
            faults_, env::TraceOptions{.classify = test::ClassifyFile})),
        policies_(std::move(policies)),
        seed_(seed),
        random_(seed),
        writes_(seed, kKeys, kMaxValue) {}

  // Empty, or the first thing that was wrong.
  std::string Run(uint64_t operations) {
    faults_->SetObserver([this](const env::Operation&) { Take(); });
    std::string problem = Reopen();
    for (uint64_t i = 0; i < operations && problem.empty(); ++i) {
      problem = Step();
      Take();  // what was stored into a mapped log is no operation
      if (problem.empty()) problem = LookAtCuts();
    }
    if (problem.empty()) problem = Reopen();
    if (problem.empty()) problem = LookAtCuts();
    faults_->SetObserver(nullptr);
    for (const std::string& violation : trace_->violations()) {
      absl::StrAppend(&problem, "\nrule broken: ", violation);
    }
    if (problem.empty() && (stats_.flushes < 5 || stats_.compactions < 2)) {
      problem = absl::StrCat("the workload made only ", stats_.flushes, " flushes and ",
                             stats_.compactions, " compactions");
    }
    return problem;
  }

  const Tally& tally() const { return tally_; }

 private:
  void Take() {
    const uint64_t point = ++tally_.points;
    if (only_ != 0 ? point != only_ : point % every_ != 0) return;
    for (const CrashPolicy policy : policies_) {
      const uint64_t seed = seed_ * 1'000'003 + point * 31 + static_cast<uint64_t>(policy);
      cuts_.push_back(
          {point, policy, synced_, writes_.issued(), memory_->CrashClone(policy, seed)});
    }
  }

  std::string LookAtCuts() {
    for (const Cut& cut : cuts_) {
      ++tally_.fired;
      const std::string problem = Recover(cut, &writes_, &tally_);
      if (problem.empty()) {
        ++tally_.recovered;
        continue;
      }
      ++tally_.failed;
      tally_.failed_point = cut.point;
      return absl::StrCat("point ", cut.point, ", policy ",
                          std::string(env::CrashPolicyName(cut.policy)), ": ", problem, "\n",
                          cut.image->DebugString());
    }
    cuts_.clear();
    return "";
  }

  std::string Failed(const char* what, const absl::Status& status) {
    return status.ok() ? "" : absl::StrCat(what, ": ", status.ToString());
  }

  std::string Step() {
    const uint64_t draw = random_() % 1000;
    std::string problem;
    if (draw < 6) {
      problem = Failed("flush", db_->Flush());
      synced_ = writes_.issued();
    } else if (draw < 9) {
      problem = Failed("compact range", db_->CompactRange());
      synced_ = writes_.issued();
    } else if (draw < 12) {
      problem = Reopen();
    } else {
      const bool sync = draw < 110;
      problem = Failed("write", writes_.WriteNext(db_.get(), {.sync = sync}));
      if (sync) synced_ = writes_.issued();
    }
    if (problem.empty() && random_() % 4 == 0) executor_->RunOne();
    return problem;
  }

  std::string Reopen() {
    if (db_ != nullptr) {
      const Stats stats = db_->GetStats();
      stats_.flushes += stats.flushes;
      stats_.compactions += stats.compactions;
      const std::string problem = Failed("close", db_->Close());
      if (!problem.empty()) return problem;
      synced_ = writes_.issued();
      db_.reset();
    }
    Options options = SmallOptions(trace_, random_());
    executor_ = options.executor;
    auto db = DB::Open(options, kPath);
    if (db.ok()) db_ = *std::move(db);
    return Failed("open", db.status());
  }

  const std::shared_ptr<MemFileSystem> memory_;
  const std::shared_ptr<env::FaultFileSystem> faults_;
  const std::shared_ptr<env::TraceFileSystem> trace_;
  const std::vector<CrashPolicy> policies_;
  const uint64_t seed_;
  const uint64_t only_ = test::FromEnvironment("CAMBIUM_CUT_POINT", 0);
  const uint64_t every_ = test::FromEnvironment("CAMBIUM_CUT_EVERY", 1);
  std::mt19937_64 random_;
  test::IndexedWrites writes_;
  std::shared_ptr<Executor> executor_;
  std::unique_ptr<DB> db_;
  uint64_t synced_ = 0;
  std::vector<Cut> cuts_;
  Tally tally_;
  Stats stats_;
};

struct Setting {
  const char* name;
  LogMapping mapping;
  std::vector<CrashPolicy> policies;
};

// Each pair is one shard; the mapped and the written log see all eight policies between them.
const Setting kSettings[] = {
    {"MappedSyncedPages",
     LogMapping::kMapped,
     {CrashPolicy::kSyncedOnly, CrashPolicy::kRandomPages}},
    {"WriteAtPrefixEntries",
     LogMapping::kWriteAtOnly,
     {CrashPolicy::kPrefix, CrashPolicy::kRandomEntries}},
    {"MappedSectorsEverything",
     LogMapping::kMapped,
     {CrashPolicy::kRandomSectors, CrashPolicy::kEverything}},
    {"WriteAtGarbageSize",
     LogMapping::kWriteAtOnly,
     {CrashPolicy::kGarbageTail, CrashPolicy::kSizeWithoutData}},
    {"WriteAtSyncedPages",
     LogMapping::kWriteAtOnly,
     {CrashPolicy::kSyncedOnly, CrashPolicy::kRandomPages}},
    {"MappedGarbageEntries",
     LogMapping::kMapped,
     {CrashPolicy::kGarbageTail, CrashPolicy::kRandomEntries}},
};

class PowerCutTest : public testing::TestWithParam<Setting> {};

INSTANTIATE_TEST_SUITE_P(All, PowerCutTest, testing::ValuesIn(kSettings),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(PowerCutTest, LeavesAPrefixWithAllThatWasSynced) {
  const uint64_t operations = test::FromEnvironment("CAMBIUM_CUT_OPS", 2000);
  const uint64_t first = test::FromEnvironment("CAMBIUM_CUT_SEED", 1);
  const uint64_t seeds = test::FromEnvironment("CAMBIUM_CUT_SEEDS", 1);
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    CutRun run(GetParam().mapping, GetParam().policies, seed);
    const std::string problem = run.Run(operations);
    const Tally& tally = run.tally();
    std::printf(
        "power cut %s seed %llu: points=%llu fired=%llu recovered=%llu failed=%llu "
        "lossy=%llu\n",
        GetParam().name, static_cast<unsigned long long>(seed),
        static_cast<unsigned long long>(tally.points), static_cast<unsigned long long>(tally.fired),
        static_cast<unsigned long long>(tally.recovered),
        static_cast<unsigned long long>(tally.failed),
        static_cast<unsigned long long>(tally.lossy));
    EXPECT_EQ(problem, "") << "repeat: CAMBIUM_CUT_POINT=" << tally.failed_point
                           << " CAMBIUM_CUT_SEED=" << seed << " CAMBIUM_CUT_OPS=" << operations
                           << " campaign_power_cut_test --gtest_filter=All/PowerCutTest.*/"
                           << GetParam().name;
    EXPECT_GT(tally.fired, 0u) << "nothing was cut";
  }
}

}  // namespace
}  // namespace cambium
