#include "wal/log_set.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "env/posix_file_system.h"
#include "env/testing/fault_file_system.h"
#include "env/testing/mem_file_system.h"
#include "env/testing/trace_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/wal/wal_test_util.h"
#include "wal/log_format.h"
#include "wal/log_registry.h"

namespace cambium::wal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kSegmentSize = 16384;

env::MemOptions WriteAtOnly() {
  env::MemOptions options;
  options.log_mapping = env::MemOptions::LogMapping::kWriteAtOnly;
  return options;
}

std::unique_ptr<LogSet> MakeLog(LogPlace& place, LogStart start = {},
                                uint64_t segment_size = kSegmentSize) {
  EXPECT_TRUE(place.files->CreateDirectory(place.directory).ok());
  auto log = LogSet::Create(place.Options(segment_size), std::move(start));
  EXPECT_TRUE(log.ok()) << log.status();
  return log.ok() ? *std::move(log) : nullptr;
}

// The same tests with and without a mapping.
class LogSetTest : public ::testing::TestWithParam<env::MemOptions::LogMapping> {
 protected:
  LogSetTest()
      : memory_(std::make_shared<env::MemFileSystem>(env::MemOptions{GetParam()})),
        faults_(memory_, env::MappingAccess::kShown),
        executor_(1),
        place_(&faults_, &executor_) {}

  std::shared_ptr<env::MemFileSystem> memory_;
  env::FaultFileSystem faults_;
  env::InlineExecutor executor_;
  LogPlace place_;
};

INSTANTIATE_TEST_SUITE_P(Both, LogSetTest,
                         ::testing::Values(env::MemOptions::LogMapping::kMapped,
                                           env::MemOptions::LogMapping::kWriteAtOnly),
                         [](const auto& param) {
                           return param.param == env::MemOptions::LogMapping::kMapped
                                      ? "Mapped"
                                      : "WriteAtOnly";
                         });

TEST_P(LogSetTest, RecordsComeBackInOrderAcrossSegments) {
  auto log = MakeLog(place_);
  for (uint64_t sequence = 1; sequence <= 300; ++sequence) {
    ASSERT_OK(AppendRecord(*log, sequence, PayloadOf(sequence),
                           sequence % 5 == 0 ? Durability::kMachine : Durability::kProcess));
  }
  EXPECT_GT(log->LiveSegments().size(), 4u);
  const LogPosition end = log->ReservedEnd();
  const ReadBack before_close = ReadLogIn(*memory_);
  ASSERT_OK(before_close.status);
  ASSERT_EQ(before_close.records.size(), 300u);
  ASSERT_OK(log->Close());
  const ReadBack back = ReadLogIn(*memory_);
  ASSERT_OK(back.status);
  ASSERT_EQ(back.records.size(), 300u);
  for (uint64_t sequence = 1; sequence <= 300; ++sequence) {
    EXPECT_EQ(back.records[sequence - 1].first, sequence);
    EXPECT_EQ(back.records[sequence - 1].second, PayloadOf(sequence));
  }
  EXPECT_EQ(back.replay.end, end);
  EXPECT_EQ(back.replay.records, 300u);
  EXPECT_EQ(back.replay.last_first_sequence, 300u);
  EXPECT_EQ(back.replay.chain, log->LiveSegments());
  EXPECT_TRUE(back.replay.obsolete.empty());
  EXPECT_EQ(back.replay.dropped_bytes, 0u);
}

TEST_P(LogSetTest, EmptyLogComesBackEmpty) {
  auto log = MakeLog(place_);
  EXPECT_EQ(ReadLogIn(*memory_).replay.end, (LogPosition{1, kSegmentHeaderSize}));
  ASSERT_OK(log->Close());
  ASSERT_OK(log->Close());
  const ReadBack back = ReadLogIn(*memory_);
  ASSERT_OK(back.status);
  EXPECT_EQ(back.replay.end, (LogPosition{1, kSegmentHeaderSize}));
  EXPECT_TRUE(back.records.empty());
}

TEST_P(LogSetTest, RecordOfNoBytesAndRecordLargerThanASegmentComeBack) {
  auto log = MakeLog(place_);
  const std::string large(size_t{1} << 20, 'L');
  ASSERT_OK(AppendRecord(*log, 1, ""));
  ASSERT_OK(AppendRecord(*log, 2, large));
  ASSERT_OK(AppendRecord(*log, 3, "small", Durability::kMachine));
  ASSERT_OK(AppendRecord(*log, 4, large, Durability::kMachine));
  const ReadBack back = ReadLogIn(*memory_);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(back.records[0].second, "");
  EXPECT_EQ(back.records[1].second, large);
  EXPECT_EQ(back.records[3].second, large);
}

TEST_P(LogSetTest, PayloadBeyondAnySegmentIsInvalidArgument) {
  auto log = MakeLog(place_);
  LogReservation reservation;
  EXPECT_FALSE(log->TryReserve(size_t{5} << 30, &reservation));
  EXPECT_TRUE(absl::IsInvalidArgument(log->MakeRoom(size_t{5} << 30)));
  ASSERT_OK(AppendRecord(*log, 1, "goes on"));
}

TEST_P(LogSetTest, NextSegmentIsPreparedWhenTheActiveOneIsHalfFull) {
  auto log = MakeLog(place_);
  while (executor_.RunOne()) continue;
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1));
  ASSERT_OK(AppendRecord(*log, 1, std::string(kSegmentSize / 2, 'x')));
  while (executor_.RunOne()) continue;
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1, 2));
  // Rotation takes it without a call that makes a file.
  LogReservation reservation;
  EXPECT_TRUE(log->TryReserve(kSegmentSize / 2, &reservation));
  EXPECT_EQ((LogPosition{reservation.segment_number, reservation.offset}),
            (LogPosition{2, kSegmentHeaderSize}));
  ASSERT_OK(log->Fill(reservation, 2, {}, Durability::kProcess));
  EXPECT_THAT(log->LiveSegments(), ElementsAre(1, 2));
}

TEST_P(LogSetTest, FinishPreparationCreatesTheSegmentThatNoThreadHasCreatedYet) {
  auto log = MakeLog(place_);
  log->FinishPreparation();
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1));
  ASSERT_OK(AppendRecord(*log, 1, std::string(kSegmentSize / 2, 'x')));
  log->FinishPreparation();
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1, 2));
  while (executor_.RunOne()) continue;
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1, 2));
}

TEST_P(LogSetTest, PreparedSegmentTooSmallForABatchIsReplaced) {
  auto log = MakeLog(place_);
  ASSERT_OK(AppendRecord(*log, 1, std::string(kSegmentSize / 2, 'x')));
  while (executor_.RunOne()) continue;
  ASSERT_OK(AppendRecord(*log, 2, std::string(4 * kSegmentSize, 'y')));
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1, 3));
  EXPECT_THAT(ReadLogIn(*memory_).Sequences(), ElementsAre(1, 2));
}

TEST_P(LogSetTest, CloseRemovesThePreparedSegmentAndCutsTheActiveOne) {
  auto log = MakeLog(place_);
  ASSERT_OK(AppendRecord(*log, 1, std::string(kSegmentSize / 2, 'x')));
  while (executor_.RunOne()) continue;
  const uint64_t tail = log->ReservedEnd().offset;
  ASSERT_OK(log->Close());
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1));
  EXPECT_EQ(*memory_->FileSize(SegmentPath("db", 1)), tail + kRecordHeaderSize);
  EXPECT_EQ(log->SyncedUpTo(), (LogPosition{1, tail}));
}

TEST_P(LogSetTest, TasksLeftOnTheExecutorOutliveTheLog) {
  {
    auto log = MakeLog(place_);
    ASSERT_OK(AppendRecord(*log, 1, std::string(kSegmentSize / 2, 'x')));
  }
  const auto before = ListSegments(*memory_, "db");
  while (executor_.RunOne()) continue;
  EXPECT_EQ(ListSegments(*memory_, "db"), before);
}

TEST_P(LogSetTest, SyncedRecordsSurviveAPowerCutAndLaterOnesNeedNot) {
  auto log = MakeLog(place_);
  ASSERT_OK(memory_->SyncDirectory("."));
  ASSERT_OK(AppendRecord(*log, 1, "one"));
  ASSERT_OK(AppendRecord(*log, 2, "two", Durability::kMachine));
  ASSERT_OK(AppendRecord(*log, 3, "three"));
  const ReadBack back = ReadLogIn(*memory_->CrashClone(env::CrashPolicy::kSyncedOnly, 1));
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), ElementsAre(1, 2));
}

TEST_P(LogSetTest, SyncInANewSegmentSyncsTheOlderOnesFirst) {
  auto log = MakeLog(place_);
  ASSERT_OK(memory_->SyncDirectory("."));
  for (uint64_t sequence = 1; sequence <= 200; ++sequence) {
    ASSERT_OK(AppendRecord(*log, sequence, PayloadOf(sequence, 200)));
  }
  ASSERT_GT(log->LiveSegments().size(), 1u);
  ASSERT_OK(log->SyncTo(log->ReservedEnd()));
  const ReadBack back = ReadLogIn(*memory_->CrashClone(env::CrashPolicy::kSyncedOnly, 1));
  ASSERT_OK(back.status);
  EXPECT_EQ(back.records.size(), 200u);
}

TEST_P(LogSetTest, FirstSyncAlsoSyncsReplayedSegments) {
  {
    auto log = MakeLog(place_);
    ASSERT_OK(memory_->SyncDirectory("."));
    ASSERT_OK(AppendRecord(*log, 1, "never synced by its process"));
  }
  const ReadBack first = ReadLogIn(*memory_);
  LogStart start;
  start.first_sequence = 2;
  start.previous_end = first.replay.end;
  start.previous_segments = first.replay.chain;
  auto log = MakeLog(place_, start);
  ASSERT_OK(AppendRecord(*log, 2, "two", Durability::kMachine));
  const ReadBack back = ReadLogIn(*memory_->CrashClone(env::CrashPolicy::kSyncedOnly, 1));
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), ElementsAre(1, 2));
  EXPECT_THAT(log->LiveSegments(), ElementsAre(1, 2));
  ASSERT_OK(log->RetireBefore({2, 0}));
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(2));
}

TEST_P(LogSetTest, RetireRemovesWholeSegmentsAndNeverTheActiveOne) {
  auto log = MakeLog(place_);
  LogPosition end_of_first;
  ASSERT_OK(AppendRecord(*log, 1, std::string(9000, 'a'), Durability::kProcess, &end_of_first));
  ASSERT_OK(AppendRecord(*log, 2, std::string(9000, 'b')));
  ASSERT_OK(AppendRecord(*log, 3, std::string(9000, 'c')));
  ASSERT_THAT(log->LiveSegments(), ElementsAre(1, 2, 3));
  ASSERT_OK(log->RetireBefore(end_of_first));
  EXPECT_THAT(log->LiveSegments(), ElementsAre(1, 2, 3));
  ASSERT_OK(log->RetireBefore({2, 5000}));
  EXPECT_THAT(log->LiveSegments(), ElementsAre(2, 3));
  ASSERT_OK(log->RetireBefore({100, 0}));
  EXPECT_THAT(log->LiveSegments(), ElementsAre(3));
  EXPECT_THAT(ReadLogIn(*memory_, "db", 3).Sequences(), ElementsAre(3));
  ASSERT_OK(AppendRecord(*log, 4, "d", Durability::kMachine));
}

TEST_P(LogSetTest, RetireTriesAgainWhatCouldNotBeRemoved) {
  auto log = MakeLog(place_);
  ASSERT_OK(AppendRecord(*log, 1, std::string(9000, 'a')));
  ASSERT_OK(AppendRecord(*log, 2, std::string(9000, 'b')));
  faults_.AddRule({.kind = env::OperationKind::kRemove});
  EXPECT_FALSE(log->RetireBefore({2, 0}).ok());
  EXPECT_TRUE(*memory_->Exists(SegmentPath("db", 1)));
  EXPECT_OK(log->RetireBefore({2, 0}));
  EXPECT_FALSE(*memory_->Exists(SegmentPath("db", 1)));
  // And one that is gone already is fine.
  ASSERT_OK(AppendRecord(*log, 3, std::string(9000, 'c')));
  ASSERT_OK(memory_->Remove(SegmentPath("db", 2)));
  EXPECT_OK(log->RetireBefore({3, 0}));
}

TEST_P(LogSetTest, NoSpaceForASegmentIsResourceExhaustedAndPasses) {
  auto log = MakeLog(place_);
  ASSERT_OK(AppendRecord(*log, 1, std::string(9000, 'a')));
  // The usual size, and what the record needs.
  faults_.AddRule({.kind = env::OperationKind::kCreateLog, .calls = 2, .error_number = ENOSPC});
  LogReservation reservation;
  ASSERT_FALSE(log->TryReserve(9000, &reservation));
  EXPECT_TRUE(absl::IsResourceExhausted(log->MakeRoom(9000)));
  ASSERT_OK(AppendRecord(*log, 2, std::string(9000, 'b'), Durability::kMachine));
  EXPECT_THAT(ReadLogIn(*memory_).Sequences(), ElementsAre(1, 2));
}

TEST_P(LogSetTest, SegmentsGrowWithUseUpToTheirFullSize) {
  LogSetOptions options = place_.Options(4 * kSegmentSize);
  options.first_segment_size = kSegmentSize;
  ASSERT_OK(memory_->CreateDirectory("db"));
  auto log = LogSet::Create(options, {});
  ASSERT_OK(log.status());
  for (uint64_t sequence = 1; sequence <= 30; ++sequence) {
    ASSERT_OK(AppendRecord(**log, sequence, std::string(9000, 'a')));
    while (executor_.RunOne()) continue;
  }
  const std::vector<uint64_t> live = (*log)->LiveSegments();
  ASSERT_GE(live.size(), 5u);
  for (size_t i = 0; i < live.size(); ++i) {
    EXPECT_EQ(*memory_->FileSize(SegmentPath("db", live[i])), kSegmentSize * (i == 0   ? 1
                                                                              : i == 1 ? 2
                                                                                       : 4));
  }
  EXPECT_EQ(ReadLogIn(*memory_).records.size(), 30u);
}

TEST_P(LogSetTest, SmallerSegmentIsTriedIfThereIsNoSpaceForTheUsualOne) {
  memory_->SetCapacity(3 * kSegmentSize);
  auto log = MakeLog(place_, {}, 4 * kSegmentSize);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(*memory_->FileSize(SegmentPath("db", log->LiveSegments().front())), 2 * kSegmentSize);
  uint64_t sequence = 0;
  absl::Status status;
  while (status.ok()) status = AppendRecord(*log, ++sequence, std::string(1000, 'a'));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_GT(sequence * 1000, 2 * kSegmentSize + kSegmentSize / 2) << "space was left unused";
  memory_->SetCapacity(8 * kSegmentSize);
  ASSERT_OK(AppendRecord(*log, sequence, "goes on", Durability::kMachine));
  EXPECT_EQ(ReadLogIn(*memory_).records.size(), sequence);
}

TEST_P(LogSetTest, RecordsWrittenAgainReplaceTheOlderSegments) {
  {
    auto log = MakeLog(place_);
    ASSERT_OK(memory_->SyncDirectory("."));
    for (uint64_t sequence = 1; sequence <= 40; ++sequence) {
      ASSERT_OK(AppendRecord(*log, sequence, PayloadOf(sequence, 5000)));
    }
  }
  const ReadBack first = ReadLogIn(*memory_);
  ASSERT_GT(first.replay.chain.size(), 1u);
  LogStart start;
  start.first_sequence = 41;
  for (const auto& [sequence, payload] : first.records)
    start.records.push_back({sequence, payload});
  auto log = MakeLog(place_, start);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->LiveSegments().size(), 1u);
  // They are durable before anything is removed, and the older segments are not needed.
  const ReadBack again = ReadLogIn(*memory_->CrashClone(env::CrashPolicy::kSyncedOnly, 1));
  ASSERT_OK(again.status);
  EXPECT_EQ(again.records, first.records);
  EXPECT_EQ(again.replay.chain, log->LiveSegments());
  ASSERT_OK(AppendRecord(*log, 41, "goes on", Durability::kMachine));
  for (const uint64_t number : first.replay.chain) {
    ASSERT_OK(memory_->Remove(SegmentPath("db", number)));
  }
  EXPECT_EQ(ReadLogIn(*memory_).records.size(), 41u);
}

// Stores the recorded values; the next calls fail while `fail` is set.
class FakeRegistry : public LogRegistry {
 public:
  absl::Status RecordReach(LogPosition reach) override {
    if (fail) return absl::UnavailableError("no registry");
    reaches.push_back(reach);
    return absl::OkStatus();
  }
  std::string EndPayload() override { return "payload"; }

  bool fail = false;
  std::vector<LogPosition> reaches;
};

TEST_P(LogSetTest, RegistryNamesEachSegmentBeforeItIsUsedAndTheEndOfTheLog) {
  FakeRegistry registry;
  LogSetOptions options = place_.Options(kSegmentSize);
  options.registry = &registry;
  ASSERT_OK(memory_->CreateDirectory("db"));
  auto log = *LogSet::Create(options, {});
  EXPECT_THAT(registry.reaches, ElementsAre(LogPosition{1, 0}));
  ASSERT_OK(AppendRecord(*log, 1, std::string(kSegmentSize / 2, 'x')));
  while (executor_.RunOne()) continue;
  EXPECT_EQ(registry.reaches.back(), (LogPosition{2, 0}));
  // Too small: it is no longer named when it goes.
  ASSERT_OK(AppendRecord(*log, 2, std::string(4 * kSegmentSize, 'y')));
  EXPECT_THAT(registry.reaches, ElementsAre(LogPosition{1, 0}, LogPosition{2, 0}, LogPosition{1, 0},
                                            LogPosition{3, 0}));
  while (executor_.RunOne()) continue;
  const LogPosition end = log->ReservedEnd();
  ASSERT_OK(log->Close());
  EXPECT_EQ(registry.reaches.back(), end);
  const ReadBack back = ReadLogIn(*memory_, "db", 0, end);
  ASSERT_OK(back.status);
  EXPECT_EQ(back.replay.end_payload, "payload");
  EXPECT_EQ(back.replay.chain, ListSegments(*memory_, "db"));
}

TEST_P(LogSetTest, SegmentThatTheRegistryMayNameStays) {
  FakeRegistry registry;
  LogSetOptions options = place_.Options(kSegmentSize);
  options.registry = &registry;
  ASSERT_OK(memory_->CreateDirectory("db"));
  auto log = *LogSet::Create(options, {});
  registry.fail = true;
  EXPECT_TRUE(absl::IsUnavailable(log->MakeRoom(9000)));
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1, 2));
  EXPECT_EQ(*memory_->FileSize(SegmentPath("db", 2)), 0u);
  registry.fail = false;
  ASSERT_OK(AppendRecord(*log, 1, std::string(9000, 'a')));
  ASSERT_OK(AppendRecord(*log, 2, std::string(9000, 'b')));
  while (executor_.RunOne()) continue;
  const std::vector<uint64_t> before = ListSegments(*memory_, "db");
  registry.fail = true;
  EXPECT_FALSE(log->Close().ok());
  EXPECT_EQ(ListSegments(*memory_, "db"), before);
}

TEST_P(LogSetTest, FailedDirectorySyncMakesNoSegment) {
  auto log = MakeLog(place_);
  ASSERT_OK(AppendRecord(*log, 1, std::string(9000, 'a')));
  faults_.AddRule({.kind = env::OperationKind::kSyncDirectory});
  EXPECT_FALSE(log->MakeRoom(9000).ok());
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1));
  ASSERT_OK(AppendRecord(*log, 2, std::string(9000, 'b')));
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1, 3));
}

TEST_P(LogSetTest, FailedSyncStopsTheLogUntilItRecovers) {
  auto log = MakeLog(place_);
  ASSERT_OK(AppendRecord(*log, 1, "one"));
  faults_.AddRule({.kind = env::OperationKind::kSyncLog});
  EXPECT_FALSE(AppendRecord(*log, 2, "two", Durability::kMachine).ok());
  const uint64_t syncs = faults_.Calls(env::OperationKind::kSyncLog);
  EXPECT_FALSE(log->SyncTo(log->ReservedEnd()).ok());
  EXPECT_FALSE(AppendRecord(*log, 3, "three").ok());
  EXPECT_EQ(faults_.Calls(env::OperationKind::kSyncLog), syncs) << "a failed sync was retried";

  ASSERT_OK(log->Recover());
  EXPECT_EQ(log->ReservedEnd().segment, 2u);
  ASSERT_OK(AppendRecord(*log, 4, "four"));
  // Segment 1 holds acked records that no sync vouches for: only its retirement lets syncs go on.
  const absl::Status refused = log->SyncTo(log->ReservedEnd());
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(ReadLogIn(*memory_).Sequences(), ElementsAre(1, 2, 4));
  ASSERT_OK(log->RetireBefore({2, 0}));
  EXPECT_OK(log->SyncTo(log->ReservedEnd()));
  EXPECT_THAT(ReadLogIn(*memory_, "db", 2).Sequences(), ElementsAre(4));
  EXPECT_OK(log->Close());
}

TEST_P(LogSetTest, FailedSyncOfAReplayedSegmentStopsTheLog) {
  {
    auto log = MakeLog(place_);
    ASSERT_OK(AppendRecord(*log, 1, "one"));
  }
  const ReadBack first = ReadLogIn(*memory_);
  LogStart start;
  start.first_sequence = 2;
  start.previous_end = first.replay.end;
  start.previous_segments = first.replay.chain;
  auto log = MakeLog(place_, start);
  faults_.AddRule({.kind = env::OperationKind::kSyncFile});
  EXPECT_FALSE(AppendRecord(*log, 2, "two", Durability::kMachine).ok());
  EXPECT_FALSE(AppendRecord(*log, 3, "three").ok());
  ASSERT_OK(log->Recover());
  EXPECT_TRUE(absl::IsFailedPrecondition(log->SyncTo(log->ReservedEnd())));
  ASSERT_OK(log->RetireBefore(log->ReservedEnd()));
  EXPECT_OK(AppendRecord(*log, 4, "four", Durability::kMachine));
}

// Whatever harmed the log may have harmed that file, too.
TEST_P(LogSetTest, RecoverDoesNotUseASegmentWhoseCreationBeganBefore) {
  auto log = MakeLog(place_);
  std::atomic<bool> creating{false}, released{false};
  env::FaultRule slow;
  slow.kind = env::OperationKind::kSyncDirectory;
  slow.effect = env::Effect::kNone;
  slow.hook = [&](const env::Operation&) {
    creating = true;
    while (!released) std::this_thread::yield();
  };
  faults_.AddRule(slow);
  ASSERT_OK(AppendRecord(*log, 1, std::string(kSegmentSize / 2, 'x')));
  std::thread maker([this] {
    while (executor_.RunOne()) continue;
  });
  while (!creating) std::this_thread::yield();
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1, 2));
  faults_.AddRule({.kind = env::OperationKind::kSyncLog});
  EXPECT_FALSE(AppendRecord(*log, 2, "two", Durability::kMachine).ok());
  std::thread releaser([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    released = true;
  });
  const absl::Status recovered = log->Recover();
  releaser.join();
  maker.join();
  ASSERT_OK(recovered);
  EXPECT_EQ(log->ReservedEnd().segment, 3u);
  EXPECT_THAT(ListSegments(*memory_, "db"), ElementsAre(1, 3));
  ASSERT_OK(AppendRecord(*log, 3, "three"));
}

TEST_P(LogSetTest, RecoverWhereNothingFailedDoesNothing) {
  auto log = MakeLog(place_);
  ASSERT_OK(AppendRecord(*log, 1, "one"));
  ASSERT_OK(log->Recover());
  EXPECT_EQ(log->ReservedEnd().segment, 1u);
}

TEST_P(LogSetTest, CloseAfterAFailureSaysSo) {
  auto log = MakeLog(place_);
  faults_.AddRule({.kind = env::OperationKind::kSyncLog});
  EXPECT_FALSE(AppendRecord(*log, 1, "one", Durability::kMachine).ok());
  EXPECT_FALSE(log->Close().ok());
}

// Writes by position, so that they can fail.
TEST(LogSet, FailedWriteCutsTheLogThereWhenItRecovers) {
  auto memory = std::make_shared<env::MemFileSystem>(WriteAtOnly());
  env::FaultFileSystem faults(memory);
  env::InlineExecutor executor(1);
  LogPlace place(&faults, &executor);
  auto log = MakeLog(place);
  ASSERT_OK(AppendRecord(*log, 1, "one"));
  LogReservation second;
  LogReservation third;
  LogReservation fourth;
  ASSERT_TRUE(log->TryReserve(6, &second));
  ASSERT_TRUE(log->TryReserve(5, &third));
  ASSERT_TRUE(log->TryReserve(6, &fourth));
  const std::string_view three = "three";
  const std::string_view four = "fourth";
  ASSERT_OK(log->Fill(fourth, 4, {&four, 1}, Durability::kProcess));
  // The error lies: the record is there.
  faults.AddRule({.kind = env::OperationKind::kWriteAt, .effect = env::Effect::kFailDone});
  EXPECT_FALSE(log->Fill(third, 3, {&three, 1}, Durability::kProcess).ok());
  // One reserved before the failure is not written any more, and the log is cut before it.
  const std::string_view two = "second";
  EXPECT_FALSE(log->Fill(second, 2, {&two, 1}, Durability::kProcess).ok());
  EXPECT_FALSE(AppendRecord(*log, 5, "five").ok());
  ASSERT_OK(log->Recover());
  ASSERT_OK(AppendRecord(*log, 6, "six"));
  const ReadBack back = ReadLogIn(*memory);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), ElementsAre(1, 6));
}

TEST(LogSet, SegmentWithAFailedWriteIsNotSynced) {
  auto memory = std::make_shared<env::MemFileSystem>(WriteAtOnly());
  env::FaultFileSystem faults(memory);
  env::InlineExecutor executor(1);
  LogPlace place(&faults, &executor);
  auto log = MakeLog(place);
  LogPosition end;
  ASSERT_OK(AppendRecord(*log, 1, "one", Durability::kProcess, &end));
  faults.AddRule({.kind = env::OperationKind::kWriteAt});
  EXPECT_FALSE(AppendRecord(*log, 2, "two").ok());
  EXPECT_FALSE(log->SyncTo(end).ok());
  EXPECT_EQ(faults.Calls(env::OperationKind::kSyncLog), 1u) << "more than the header's";
}

TEST(LogSet, FailedHeaderOfANewSegmentFailsItsFirstRecord) {
  auto memory = std::make_shared<env::MemFileSystem>(WriteAtOnly());
  env::FaultFileSystem faults(memory);
  env::InlineExecutor executor(1);
  LogPlace place(&faults, &executor);
  auto log = MakeLog(place);
  ASSERT_OK(AppendRecord(*log, 1, std::string(9000, 'a')));
  // The end record is the next write, the header the one after.
  faults.AddRule({.kind = env::OperationKind::kWriteAt, .first_call = 2});
  EXPECT_FALSE(AppendRecord(*log, 2, std::string(9000, 'b')).ok());
  EXPECT_FALSE(AppendRecord(*log, 3, "c").ok());
  ASSERT_OK(log->Recover());
  ASSERT_OK(AppendRecord(*log, 4, "d"));
  EXPECT_THAT(ListSegments(*memory, "db"), ElementsAre(1, 2, 3));
  // Segment 3 follows segment 1, as if 2 had never been.
  const ReadBack back = ReadLogIn(*memory);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), ElementsAre(1, 4));
  EXPECT_THAT(back.replay.obsolete, ElementsAre(2));
}

TEST(LogSet, WriteThatFailsAfterARotationCutsTheLogInTheOlderSegment) {
  auto memory = std::make_shared<env::MemFileSystem>(WriteAtOnly());
  env::FaultFileSystem faults(memory);
  env::InlineExecutor executor(1);
  LogPlace place(&faults, &executor);
  auto log = MakeLog(place);
  ASSERT_OK(AppendRecord(*log, 1, std::string(9000, 'a')));
  LogReservation slow;
  ASSERT_TRUE(log->TryReserve(4, &slow));
  ASSERT_OK(AppendRecord(*log, 3, std::string(9000, 'c')));
  ASSERT_EQ(log->ReservedEnd().segment, 2u);
  faults.AddRule({.kind = env::OperationKind::kWriteAt});
  const std::string_view payload = "slow";
  EXPECT_FALSE(log->Fill(slow, 2, {&payload, 1}, Durability::kProcess).ok());
  EXPECT_FALSE(AppendRecord(*log, 4, "refused").ok());
  ASSERT_OK(log->Recover());
  ASSERT_OK(AppendRecord(*log, 5, "five"));
  const ReadBack back = ReadLogIn(*memory);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), ElementsAre(1, 5));
  EXPECT_THAT(back.replay.obsolete, ElementsAre(2));
}

TEST(LogSet, FailedRecoverLeavesNothingBehind) {
  auto memory = std::make_shared<env::MemFileSystem>(WriteAtOnly());
  env::FaultFileSystem faults(memory);
  env::InlineExecutor executor(1);
  LogPlace place(&faults, &executor);
  auto log = MakeLog(place);
  faults.AddRule({.kind = env::OperationKind::kWriteAt, .calls = 2});
  EXPECT_FALSE(AppendRecord(*log, 1, "one").ok());
  EXPECT_FALSE(log->Recover().ok());
  EXPECT_THAT(ListSegments(*memory, "db"), ElementsAre(1));
  ASSERT_OK(log->Recover());
  EXPECT_OK(AppendRecord(*log, 2, "two"));
}

absl::Status AppendConcurrently(LogSet& log, uint64_t threads, uint64_t records_a_thread) {
  std::mutex commit_mu;
  uint64_t next_sequence = 1;
  std::vector<absl::Status> statuses(threads);
  std::vector<std::thread> writers;
  for (uint64_t t = 0; t < threads; ++t) {
    writers.emplace_back([&, t] {
      for (uint64_t i = 0; i < records_a_thread && statuses[t].ok(); ++i) {
        LogReservation reservation;
        uint64_t sequence = 0;
        std::string payload;
        while (sequence == 0) {
          {
            std::lock_guard lock(commit_mu);
            payload = PayloadOf(next_sequence);
            if (log.TryReserve(payload.size(), &reservation)) sequence = next_sequence++;
          }
          if (sequence == 0) statuses[t].Update(log.MakeRoom(payload.size()));
          if (!statuses[t].ok()) return;
        }
        const std::string_view piece = payload;
        statuses[t].Update(log.Fill(reservation, sequence, {&piece, 1},
                                    i % 4 == 0 ? Durability::kMachine : Durability::kProcess));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  absl::Status status;
  for (const absl::Status& one : statuses) status.Update(one);
  return status;
}

void CheckAllRecords(const ReadBack& back, uint64_t count) {
  ASSERT_OK(back.status);
  ASSERT_EQ(back.records.size(), count);
  for (uint64_t sequence = 1; sequence <= count; ++sequence) {
    ASSERT_EQ(back.records[sequence - 1].first, sequence);
    ASSERT_EQ(back.records[sequence - 1].second, PayloadOf(sequence));
  }
}

TEST(LogSet, ManyWritersFillAtOnceByPosition) {
  env::MemFileSystem memory(WriteAtOnly());
  env::InlineExecutor executor(1);
  LogPlace place(&memory, &executor);
  auto log = MakeLog(place);
  ASSERT_OK(AppendConcurrently(*log, 4, 500));
  ASSERT_OK(log->Close());
  CheckAllRecords(ReadLogIn(memory), 2000);
}

// Writers, the preparer's thread, and the machine's own file system.
TEST(LogSet, ManyWritersFillAMappedSegmentOfTheMachine) {
  std::string directory = ::testing::TempDir() + "/cambium_wal_XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  env::PosixFileSystem files;
  {
    env::InlineExecutor executor(1);
    LogPlace place(&files, &executor, directory);
    auto log = MakeLog(place, {}, 65536);
    std::atomic<bool> done{false};
    std::thread background([&] {
      while (!done.load()) {
        if (!executor.RunOne()) std::this_thread::yield();
      }
    });
    EXPECT_OK(AppendConcurrently(*log, 4, 1000));
    EXPECT_OK(log->SyncTo(log->ReservedEnd()));
    EXPECT_OK(log->Close());
    done = true;
    background.join();
  }
  CheckAllRecords(ReadLogIn(files, directory), 4000);
  for (const uint64_t number : ListSegments(files, directory)) {
    EXPECT_OK(files.Remove(SegmentPath(directory, number)));
  }
  EXPECT_OK(files.RemoveDirectory(directory));
}

TEST(LogSet, KeepsTheRulesOfOrder) {
  auto memory = std::make_shared<env::MemFileSystem>();
  env::TraceOptions options;
  options.classify = [](std::string_view path) {
    return path.ends_with(".log") ? env::FileClass::kLog : env::FileClass::kOther;
  };
  env::TraceFileSystem trace(memory, options);
  env::InlineExecutor executor(1);
  LogPlace place(&trace, &executor);
  auto log = MakeLog(place);
  for (uint64_t sequence = 1; sequence <= 400; ++sequence) {
    ASSERT_OK(AppendRecord(*log, sequence, PayloadOf(sequence),
                           sequence % 7 == 0 ? Durability::kMachine : Durability::kProcess));
    if (sequence % 3 == 0) executor.RunOne();
    if (sequence % 50 == 0) ASSERT_OK(log->RetireBefore(log->ReservedEnd()));
  }
  ASSERT_OK(log->Close());
  EXPECT_THAT(trace.violations(), ElementsAre());
}

// A sync is under way in a segment that is retired while another reader pins the log. When the pin
// goes, the files are removed: not under the sync, which would take its file for one that another
// process has removed.
TEST(LogSetRemoval, WaitsForASyncThatIsUnderWay) {
  test::TempDir temp;
  auto posix = std::make_shared<env::PosixFileSystem>();
  env::FaultFileSystem faults(posix, env::MappingAccess::kShown);
  env::InlineExecutor executor(1);
  LogPlace place(&faults, &executor, temp.Sub("db"));
  auto log = MakeLog(place);
  for (uint64_t sequence = 1; log->LiveSegments().size() < 3; ++sequence) {
    ASSERT_OK(AppendRecord(*log, sequence, std::string(1000, 'p')));
  }
  const LogPosition end = log->ReservedEnd();
  std::atomic<bool> syncing{false};
  std::atomic<bool> removed{false};
  faults.AddRule({.kind = env::OperationKind::kSyncLog,
                  .path_part = "000001.log",
                  .effect = env::Effect::kNone,
                  .hook = [&](const env::Operation&) {
                    syncing.store(true);
                    // The removal waits for this sync in its turn.
                    for (int i = 0; i < 200 && !removed.load(); ++i) {
                      std::this_thread::sleep_for(std::chrono::milliseconds(1));
                    }
                  }});
  auto pin = std::make_optional(log->PinSegments());
  std::thread sync([&] { EXPECT_OK(log->SyncTo(end)); });
  while (!syncing.load()) std::this_thread::yield();
  std::thread retire([&] { EXPECT_OK(log->RetireBefore(end)); });
  while (log->LiveSegments().size() > 1) std::this_thread::yield();
  std::thread release([&] {
    pin.reset();
    removed.store(true);
  });
  sync.join();
  retire.join();
  release.join();
  EXPECT_OK(AppendRecord(*log, 1000, "goes on", Durability::kMachine));
  EXPECT_EQ(ListSegments(*posix, place.directory).size(), 1u);
  EXPECT_OK(log->Close());
}

}  // namespace
}  // namespace cambium::wal
