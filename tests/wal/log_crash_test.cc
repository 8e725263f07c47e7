// The log under power cuts and damage: whatever the disk keeps, what is read back is a prefix of
// what was written, and it holds all that was synced.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "tests/wal/wal_test_util.h"
#include "wal/log_format.h"

namespace cambium::wal {
namespace {

using env::CrashPolicy;
using env::MemFileSystem;
using LogMapping = env::MemOptions::LogMapping;

constexpr uint64_t kSegmentSize = 8192;
constexpr size_t kLargeRecord = 20000;

// Counts what a campaign did; printed at its end.
struct Campaign {
  uint64_t points = 0;
  uint64_t recovered = 0;
  uint64_t cut_short = 0;  // images in which something was lost that was not synced

  void Print(const char* name) const {
    std::printf("%s: points=%llu recovered=%llu cut_short=%llu\n", name,
                static_cast<unsigned long long>(points), static_cast<unsigned long long>(recovered),
                static_cast<unsigned long long>(cut_short));
  }
};

// The records are 1, 2, 3 …: checks that `back` is a prefix with at least `least` and at most
// `most`.
void CheckPrefix(const ReadBack& back, uint64_t least, uint64_t most) {
  ASSERT_OK(back.status);
  ASSERT_GE(back.records.size(), least) << "a synced record was lost";
  ASSERT_LE(back.records.size(), most);
  for (uint64_t i = 0; i < back.records.size(); ++i) {
    ASSERT_EQ(back.records[i].first, i + 1) << "a hole";
    ASSERT_EQ(back.records[i].second, PayloadOf(i + 1, kLargeRecord));
  }
}

// A run of the log that can be cut at any moment.
class LogRun {
 public:
  explicit LogRun(std::shared_ptr<MemFileSystem> memory)
      : memory_(std::move(memory)), faults_(memory_), place_(&faults_, &executor_) {}

  enum class How { kContinue, kRewrite };

  // Reads what is there and goes on behind it, or writes it again, as the engine does.
  void Open(How how = How::kContinue) {
    ASSERT_OK(faults_.CreateDirectory("db"));
    ASSERT_OK(faults_.SyncDirectory("."));
    const ReadBack back = ReadLogIn(*memory_);
    ASSERT_OK(back.status);
    LogStart start;
    start.first_sequence = back.records.size() + 1;
    const bool rewrite = how == How::kRewrite && !back.records.empty();
    if (rewrite) {
      for (const auto& [sequence, payload] : back.records) {
        start.records.push_back({sequence, payload});
      }
    } else {
      start.previous_end = back.replay.end;
      start.previous_segments = back.replay.chain;
    }
    const auto numbers = ListSegments(*memory_, "db");
    if (!numbers.empty()) place_.next_number = numbers.back() + 1;
    auto log = LogSet::Create(place_.Options(kSegmentSize), start);
    ASSERT_OK(log.status());
    log_ = *std::move(log);
    issued_ = back.records.size();
    if (rewrite) {
      synced_ = issued_;
      for (const uint64_t number : back.replay.chain) {
        ASSERT_OK(faults_.Remove(SegmentPath("db", number)));
      }
    }
    for (const uint64_t number : back.replay.obsolete) {
      ASSERT_OK(faults_.Remove(SegmentPath("db", number)));
    }
  }

  // Writes the next record; `on_change` may look at any moment.
  void Append(Durability durability) {
    ++issued_;
    ASSERT_OK(AppendRecord(*log_, issued_, PayloadOf(issued_, kLargeRecord), durability));
    if (durability == Durability::kMachine) synced_ = issued_;
  }

  env::FaultFileSystem& faults() { return faults_; }
  env::InlineExecutor& executor() { return executor_; }
  LogSet& log() { return *log_; }
  uint64_t issued() const { return issued_; }
  uint64_t synced() const { return synced_; }
  void set_synced(uint64_t synced) { synced_ = synced; }

 private:
  std::shared_ptr<MemFileSystem> memory_;
  env::FaultFileSystem faults_;
  env::InlineExecutor executor_{1};
  LogPlace place_;
  std::unique_ptr<LogSet> log_;
  uint64_t issued_ = 0;
  uint64_t synced_ = 0;
};

class LogCrashTest : public ::testing::TestWithParam<LogMapping> {
 protected:
  static std::shared_ptr<MemFileSystem> NewMemory() {
    return std::make_shared<MemFileSystem>(env::MemOptions{GetParam()});
  }
};

INSTANTIATE_TEST_SUITE_P(Both, LogCrashTest,
                         ::testing::Values(LogMapping::kMapped, LogMapping::kWriteAtOnly),
                         [](const auto& param) {
                           return param.param == LogMapping::kMapped ? "Mapped" : "WriteAtOnly";
                         });

// A cut at every call that changes the disk and after every record, under every policy.
TEST_P(LogCrashTest, PowerCutLeavesAPrefixWithAllThatWasSynced) {
  auto memory = NewMemory();
  LogRun run(memory);
  Campaign campaign;
  uint64_t seed = 0;
  const auto cut = [&] {
    for (const CrashPolicy policy : env::kAllCrashPolicies) {
      ++campaign.points;
      const auto image = memory->CrashClone(policy, ++seed);
      const ReadBack back = ReadLogIn(*image);
      CheckPrefix(back, run.synced(), run.issued());
      if (::testing::Test::HasFatalFailure()) {
        FAIL() << "policy " << env::CrashPolicyName(policy) << " seed " << seed << "\n"
               << image->DebugString();
      }
      ++campaign.recovered;
      if (back.records.size() < run.issued()) ++campaign.cut_short;
    }
  };
  run.faults().SetObserver([&](const env::Operation&) { cut(); });
  run.Open();
  std::mt19937_64 random(11);
  for (int i = 0; i < 120 && !HasFatalFailure(); ++i) {
    run.Append(random() % 6 == 0 ? Durability::kMachine : Durability::kProcess);
    if (random() % 3 == 0) run.executor().RunOne();
    cut();
  }
  ASSERT_OK(run.log().Close());
  run.set_synced(run.issued());
  cut();
  run.faults().SetObserver(nullptr);
  campaign.Print("power cut");
  EXPECT_GT(campaign.cut_short, 0u);
}

// Cut, recover, write on, cut again in the recovery and behind it, three deep.
TEST_P(LogCrashTest, CutsInsideRecoveryConverge) {
  Campaign campaign;
  const char* const wanted = std::getenv("CAMBIUM_CRASH_SEEDS");  // more of them in long runs
  const uint64_t seeds = wanted == nullptr ? 150 : std::strtoull(wanted, nullptr, 10);
  for (uint64_t seed = 1; seed <= seeds && !HasFatalFailure(); ++seed) {
    std::mt19937_64 random(seed);
    auto memory = NewMemory();
    uint64_t synced = 0;
    uint64_t issued = 0;
    for (int depth = 0; depth < 4 && !HasFatalFailure(); ++depth) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, " depth ", depth));
      std::shared_ptr<MemFileSystem> image;
      // The moment of the cut, counted in calls that change the disk.
      uint64_t calls_left = random() % 60;
      uint64_t synced_at_cut = synced;
      uint64_t issued_at_cut = issued;
      const auto policy = env::kAllCrashPolicies[random() % env::kAllCrashPolicies.size()];
      {
        LogRun run(memory);
        run.set_synced(synced);
        const auto take = [&] {
          image = memory->CrashClone(policy, random());
          synced_at_cut = run.synced();
          issued_at_cut = std::max(issued, run.issued());
        };
        run.faults().SetObserver([&](const env::Operation&) {
          if (image == nullptr && calls_left-- == 0) take();
        });
        run.Open(random() % 2 == 0 ? LogRun::How::kContinue : LogRun::How::kRewrite);
        issued = std::max(issued, run.issued());
        for (int i = 0; i < 25 && image == nullptr; ++i) {
          run.Append(random() % 4 == 0 ? Durability::kMachine : Durability::kProcess);
          if (random() % 2 == 0) run.executor().RunOne();
        }
        if (image == nullptr) take();
        run.faults().SetObserver(nullptr);
      }
      ++campaign.points;
      const ReadBack back = ReadLogIn(*image);
      CheckPrefix(back, synced_at_cut, issued_at_cut);
      if (HasFatalFailure()) {
        FAIL() << "policy " << env::CrashPolicyName(policy) << "\n" << image->DebugString();
      }
      ++campaign.recovered;
      if (back.records.size() < issued_at_cut) ++campaign.cut_short;
      memory = image;
      // What the image holds is what the next run begins with; it may be lost until it is synced.
      synced = synced_at_cut;
      issued = back.records.size();
    }
  }
  campaign.Print("cuts in recovery");
  EXPECT_GT(campaign.cut_short, 0u);
}

// Every byte is inverted: the log is a correct prefix, and never loses synced records without an
// error.
TEST_P(LogCrashTest, EveryFlippedByteIsATornTailOrDataLoss) {
  auto memory = NewMemory();
  std::vector<LogPosition> ends;
  {
    LogRun run(memory);
    run.Open();
    for (int i = 0; i < 30; ++i) {
      run.Append(i % 10 == 9 ? Durability::kMachine : Durability::kProcess);
      ends.push_back(run.log().ReservedEnd());
    }
  }
  // The largest synced watermark in any record.
  const LogPosition promised = [&] {
    LogPosition last;
    for (uint64_t i = 9; i + 1 < ends.size(); i += 10) last = ends[i];
    return last;
  }();
  const ReadBack whole = ReadLogIn(*memory);
  ASSERT_OK(whole.status);
  ASSERT_EQ(whole.records.size(), 30u);
  uint64_t flips = 0;
  uint64_t losses = 0;
  MemFileSystem damaged;
  ASSERT_OK(damaged.CreateDirectory("db"));
  for (const uint64_t number : whole.replay.chain) {
    ReplaceFile(damaged, SegmentPath("db", number), ReadWhole(*memory, SegmentPath("db", number)));
  }
  for (const uint64_t number : whole.replay.chain) {
    const std::string path = SegmentPath("db", number);
    const std::string good = ReadWhole(*memory, path);
    for (size_t at = 0; at < good.size() && !HasFatalFailure(); ++at) {
      // Zeros behind the end are many and alike.
      if (number == whole.replay.end.segment && at > whole.replay.end.offset + 100) break;
      // Large payloads too: look at a part of them.
      if (at % kSegmentSize > 1000 && at % 29 != 0) continue;
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
      ReplaceFile(damaged, path, bytes);
      ++flips;
      const ReadBack back = ReadLogIn(damaged);
      ASSERT_LE(back.records.size(), whole.records.size());
      for (size_t i = 0; i < back.records.size(); ++i) ASSERT_EQ(back.records[i], whole.records[i]);
      if (!back.status.ok()) {
        ++losses;
        ASSERT_TRUE(absl::IsDataLoss(back.status)) << back.status;
        ASSERT_THAT(MessageOf(back.status), ::testing::HasSubstr(".log: offset "));
      } else {
        ASSERT_GE(back.replay.end, promised) << "silent loss: byte " << at << " of " << path;
      }
    }
    ReplaceFile(damaged, path, good);
  }
  std::printf("flips=%llu data_loss=%llu\n", static_cast<unsigned long long>(flips),
              static_cast<unsigned long long>(losses));
  EXPECT_GT(losses, flips / 2);
}

// The log cut to every length, as if its end had never been.
TEST_P(LogCrashTest, EveryTruncationIsATornTailOrDataLoss) {
  auto memory = NewMemory();
  LogPosition promised;
  {
    LogRun run(memory);
    run.Open();
    for (int i = 0; i < 12; ++i) run.Append(Durability::kProcess);
    run.Append(Durability::kMachine);
    promised = run.log().ReservedEnd();
    run.Append(Durability::kProcess);
  }
  const ReadBack whole = ReadLogIn(*memory);
  ASSERT_OK(whole.status);
  const uint64_t number = whole.replay.end.segment;
  const std::string good = ReadWhole(*memory, SegmentPath("db", number));
  for (size_t size = 0; size <= whole.replay.end.offset; ++size) {
    ReplaceFile(*memory, SegmentPath("db", number), std::string_view(good).substr(0, size));
    const ReadBack back = ReadLogIn(*memory);
    if (!back.status.ok()) {
      ASSERT_TRUE(absl::IsDataLoss(back.status));
      continue;
    }
    for (size_t i = 0; i < back.records.size(); ++i) ASSERT_EQ(back.records[i], whole.records[i]);
    // Only the last record has the synced watermark: if it is cut off, nothing distinguishes this
    // from a torn tail.
    if (size == whole.replay.end.offset) {
      ASSERT_GE(back.replay.end, promised);
    }
  }
}

}  // namespace
}  // namespace cambium::wal
