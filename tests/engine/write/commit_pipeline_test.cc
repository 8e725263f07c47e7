#include "engine/write/commit_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "util/absl_view.h"

namespace cambium::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A world without files: a log that is a counter, memtables that are a table of marks.
class FakeTarget : public CommitTarget {
 public:
  explicit FakeTarget(size_t sequences) : applied(sequences) {}

  bool Reserve(const CommitRequest& request, CommitSlot* slot) override {
    EXPECT_FALSE(under_lock_.exchange(true)) << "two reserve at once";
    const int64_t left = room_left;  // MakeRoom, under no lock, may raise it meanwhile
    const bool room = left != 0;
    if (room) {
      if (left > 0) --room_left;
      slot->log.segment_number = 1;
      slot->log.offset = log_end;
      slot->log.payload_size = request.payload_size;
      log_end = slot->log.end().offset;
    }
    under_lock_ = false;
    return room;
  }
  absl::Status MakeRoom(const CommitRequest&) override {
    ++make_rooms;
    if (on_make_room != nullptr) on_make_room();
    if (!make_room_status.ok()) return make_room_status;
    room_left = 100;
    return absl::OkStatus();
  }
  absl::Status WriteLog(const CommitRequest&, const CommitSlot& slot) override {
    EXPECT_EQ(slot.log.segment_number, 1u);
    ++logged;
    return on_write_log == nullptr ? absl::OkStatus() : on_write_log(slot.first);
  }
  absl::Status Apply(const CommitRequest& request, const CommitSlot& slot) override {
    last_applied = slot.first;
    for (uint32_t i = 0; i < request.count; ++i) {
      EXPECT_EQ(applied[slot.first + i].exchange(1), 0) << "one sequence number for two";
    }
    return on_apply == nullptr ? absl::OkStatus() : on_apply(slot.first);
  }
  absl::Status SyncTo(wal::LogPosition position) override {
    synced_to = position.offset;
    return sync_status;
  }

  static thread_local SequenceNumber last_applied;  // the first of the thread's last commit
  std::vector<std::atomic<int>> applied;            // by sequence number
  std::atomic<int64_t> room_left{-1};  // commits until Reserve says no; negative: for ever
  uint64_t log_end = 88;
  std::atomic<int> make_rooms{0};
  std::atomic<int> logged{0};
  std::atomic<uint64_t> synced_to{0};
  absl::Status make_room_status;
  absl::Status sync_status;
  std::function<void()> on_make_room;
  std::function<absl::Status(SequenceNumber)> on_write_log;
  std::function<absl::Status(SequenceNumber)> on_apply;

 private:
  std::atomic<bool> under_lock_{false};
};

thread_local SequenceNumber FakeTarget::last_applied = 0;

CommitRequest RequestOf(uint32_t count) {
  CommitRequest request;
  request.count = count;
  request.payload_size = 16 * count;
  return request;
}

std::string MessageOf(const absl::Status& status) {
  return std::string(FromAbsl(status.message()));
}

void WaitFor(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

TEST(CommitPipeline, HandsOutConsecutiveSequenceNumbersAndPublishesThem) {
  FakeTarget target(100);
  CommitPipeline pipeline(&target, 10);
  EXPECT_EQ(pipeline.visible(), 10u);
  ASSERT_TRUE(pipeline.Commit(RequestOf(1)).ok());
  EXPECT_EQ(pipeline.visible(), 11u);
  ASSERT_TRUE(pipeline.Commit(RequestOf(5)).ok());
  EXPECT_EQ(pipeline.visible(), 16u);
  EXPECT_EQ(target.applied[16], 1);
  EXPECT_EQ(target.applied[17], 0);
}

TEST(CommitPipeline, EmptyBatchIsOkAndTakesNothing) {
  FakeTarget target(100);
  CommitPipeline pipeline(&target, 0);
  EXPECT_TRUE(pipeline.Commit(RequestOf(0)).ok());
  EXPECT_EQ(pipeline.visible(), 0u);
  EXPECT_EQ(target.logged, 0);
}

TEST(CommitPipeline, UnloggedCommitSkipsTheLog) {
  FakeTarget target(100);
  CommitPipeline pipeline(&target, 0);
  CommitRequest request = RequestOf(2);
  request.logging = Logging::kUnlogged;
  ASSERT_TRUE(pipeline.Commit(request).ok());
  EXPECT_EQ(target.logged, 0);
  EXPECT_EQ(pipeline.visible(), 2u);
}

TEST(CommitPipeline, SyncedCommitWaitsForTheEndOfItsRecord) {
  FakeTarget target(100);
  CommitPipeline pipeline(&target, 0);
  ASSERT_TRUE(pipeline.Commit(RequestOf(1)).ok());
  EXPECT_EQ(target.synced_to, 0u);
  CommitRequest request = RequestOf(1);
  request.durability = wal::Durability::kMachine;
  ASSERT_TRUE(pipeline.Commit(request).ok());
  EXPECT_EQ(target.synced_to, target.log_end);
}

TEST(CommitPipeline, FailedSyncIsAnUnknownOutcomeOfAVisibleWrite) {
  FakeTarget target(100);
  target.sync_status = absl::UnavailableError("disk gone");
  CommitPipeline pipeline(&target, 0);
  CommitRequest request = RequestOf(1);
  request.durability = wal::Durability::kMachine;
  const absl::Status status = pipeline.Commit(request);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(MessageOf(status), HasSubstr("outcome unknown"));
  EXPECT_EQ(pipeline.visible(), 1u);
}

TEST(CommitPipeline, MakesRoomAndTriesAgain) {
  FakeTarget target(100);
  target.room_left = 0;
  CommitPipeline pipeline(&target, 0);
  ASSERT_TRUE(pipeline.Commit(RequestOf(1)).ok());
  EXPECT_EQ(target.make_rooms, 1);
  EXPECT_EQ(pipeline.visible(), 1u);
}

TEST(CommitPipeline, FailureToMakeRoomLeavesNoTrace) {
  FakeTarget target(100);
  target.room_left = 0;
  target.make_room_status = absl::ResourceExhaustedError("disk full");
  CommitPipeline pipeline(&target, 0);
  EXPECT_EQ(pipeline.Commit(RequestOf(3)), target.make_room_status);
  EXPECT_TRUE(pipeline.status().ok());
  target.make_room_status = absl::OkStatus();
  ASSERT_TRUE(pipeline.Commit(RequestOf(3)).ok());
  EXPECT_EQ(pipeline.visible(), 3u);
}

TEST(CommitPipeline, SequenceNumbersUsedUpIsAnError) {
  FakeTarget target(1);
  CommitPipeline pipeline(&target, kMaxSequenceNumber - 1);
  EXPECT_TRUE(absl::IsResourceExhausted(pipeline.Commit(RequestOf(2))));
}

// The commit that finishes first is published after the one ordered before it, and not earlier.
TEST(CommitPipeline, FinishedCommitWaitsForTheOneBeforeIt) {
  FakeTarget target(100);
  std::atomic<bool> first_may_go{false};
  target.on_apply = [&](SequenceNumber first) {
    if (first == 1) WaitFor([&] { return first_may_go.load(); });
    return absl::OkStatus();
  };
  CommitPipeline pipeline(&target, 0);
  std::thread slow([&] { EXPECT_TRUE(pipeline.Commit(RequestOf(1)).ok()); });
  WaitFor([&] { return target.logged == 1; });
  std::atomic<int> returned{0};
  std::vector<std::thread> quick;
  for (int i = 0; i < 3; ++i) {
    quick.emplace_back([&] {
      EXPECT_TRUE(pipeline.Commit(RequestOf(2)).ok());
      ++returned;
    });
  }
  WaitFor([&] { return target.logged == 4; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // they fall asleep
  EXPECT_EQ(pipeline.visible(), 0u);
  EXPECT_EQ(returned, 0);
  first_may_go = true;
  slow.join();
  for (std::thread& thread : quick) thread.join();
  EXPECT_EQ(pipeline.visible(), 7u);
}

TEST(CommitPipeline, FailedCommitTakesThoseBehindItAlongAndNotThoseBefore) {
  FakeTarget target(100);
  std::atomic<bool> first_may_go{false};
  std::atomic<bool> second_may_fail{false};
  target.on_write_log = [&](SequenceNumber first) {
    if (first == 1) WaitFor([&] { return first_may_go.load(); });
    if (first == 2) {
      WaitFor([&] { return second_may_fail.load(); });
      return absl::UnavailableError("write failed");
    }
    return absl::OkStatus();
  };
  CommitPipeline pipeline(&target, 0);
  absl::Status statuses[4];
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { statuses[i] = pipeline.Commit(RequestOf(1)); });
    WaitFor([&] { return target.logged == i + 1; });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  second_may_fail = true;
  for (int i = 1; i < 4; ++i) threads[static_cast<size_t>(i)].join();
  EXPECT_EQ(pipeline.visible(), 0u);
  EXPECT_FALSE(pipeline.WaitUntilPublished(4).ok());
  first_may_go = true;
  threads[0].join();
  EXPECT_TRUE(statuses[0].ok());
  EXPECT_EQ(pipeline.visible(), 1u);
  for (int i = 1; i < 4; ++i) {
    EXPECT_TRUE(absl::IsUnavailable(statuses[i])) << i;
    EXPECT_THAT(MessageOf(statuses[i]), HasSubstr("outcome unknown"));
  }
  // Sticky: and what is refused now was not applied.
  const absl::Status refused = pipeline.Commit(RequestOf(1));
  EXPECT_TRUE(absl::IsUnavailable(refused));
  EXPECT_THAT(MessageOf(refused), ::testing::Not(HasSubstr("unknown")));
  EXPECT_EQ(target.logged, 4);

  target.on_write_log = nullptr;
  pipeline.ResetAfterError();
  EXPECT_TRUE(pipeline.status().ok());
  EXPECT_EQ(pipeline.visible(), 4u) << "numbers of failed commits are not used again";
  ASSERT_TRUE(pipeline.Commit(RequestOf(1)).ok());
  EXPECT_EQ(pipeline.visible(), 5u);
}

TEST(CommitPipeline, StoppedPipelineFinishesWhatIsInFlightAndRefusesTheRest) {
  FakeTarget target(100);
  std::atomic<bool> may_go{false};
  target.on_apply = [&](SequenceNumber) {
    WaitFor([&] { return may_go.load(); });
    return absl::OkStatus();
  };
  CommitPipeline pipeline(&target, 0);
  std::thread in_flight([&] { EXPECT_TRUE(pipeline.Commit(RequestOf(1)).ok()); });
  WaitFor([&] { return target.logged == 1; });
  pipeline.Stop(absl::FailedPreconditionError("closed"));
  pipeline.Stop(absl::UnavailableError("a later cause"));
  EXPECT_TRUE(absl::IsFailedPrecondition(pipeline.Commit(RequestOf(1))));
  std::thread drainer([&] { pipeline.Drain(); });
  may_go = true;
  drainer.join();
  EXPECT_EQ(pipeline.visible(), 1u);
  in_flight.join();
}

TEST(CommitPipeline, WaitUntilPublishedReturnsWhenItIs) {
  FakeTarget target(100);
  std::atomic<bool> may_go{false};
  target.on_apply = [&](SequenceNumber) {
    WaitFor([&] { return may_go.load(); });
    return absl::OkStatus();
  };
  CommitPipeline pipeline(&target, 0);
  std::thread writer([&] { EXPECT_TRUE(pipeline.Commit(RequestOf(3)).ok()); });
  WaitFor([&] { return target.logged == 1; });
  SequenceNumber last = 0;
  pipeline.RunUnderCommitLock([&](SequenceNumber allocated) { last = allocated; });
  EXPECT_EQ(last, 3u);
  std::thread waiter([&] {
    EXPECT_TRUE(pipeline.WaitUntilPublished(last).ok());
    EXPECT_GE(pipeline.visible(), 3u);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  may_go = true;
  waiter.join();
  writer.join();
}

// --- Conditional commits ------------------------------------------------------------------------

// A commit of one operation on a key with that slot.
struct SlotRequest {
  explicit SlotRequest(uint32_t key_slot, SequenceNumber read_at = kMaxSequenceNumber)
      : slot(key_slot) {
    request.slots = {&slot, 1};
    request.read_at = read_at;
  }
  SlotRequest(const SlotRequest&) = delete;
  SlotRequest& operator=(const SlotRequest&) = delete;

  // Returns 0 if it was committed, or the number of the later commit.
  SequenceNumber CommitTo(CommitPipeline* pipeline) const {
    std::optional<SequenceNumber> newer;
    EXPECT_TRUE(pipeline->CommitIfUnchanged(request, &newer).ok());
    return newer.value_or(0);
  }

  const uint32_t slot;
  CommitRequest request = RequestOf(1);
};

TEST(CommitPipeline, ConditionHoldsUntilTheSlotIsWritten) {
  FakeTarget target(100);
  CommitPipeline pipeline(&target, 5);
  EXPECT_EQ(SlotRequest(1).CommitTo(&pipeline), 0u);  // number 6, not recorded
  const CommitPipeline::Watch watch(&pipeline);
  EXPECT_EQ(watch.since(), 6u);
  EXPECT_EQ(SlotRequest(2).CommitTo(&pipeline), 0u);
  EXPECT_EQ(SlotRequest(1, 6).CommitTo(&pipeline), 0u) << "slot 2 was written, slot 1 was not";
  EXPECT_EQ(SlotRequest(1, 6).CommitTo(&pipeline), 8u) << "its own commit counts";
  EXPECT_EQ(pipeline.visible(), 8u) << "nothing was committed";
  EXPECT_EQ(SlotRequest(1, 8).CommitTo(&pipeline), 0u);
  EXPECT_EQ(SlotRequest(2, 7).CommitTo(&pipeline), 0u);
}

TEST(CommitPipeline, CommitWithoutSlotsBreaksEveryCondition) {
  FakeTarget target(100);
  CommitPipeline pipeline(&target, 0);
  const CommitPipeline::Watch watch(&pipeline);
  ASSERT_TRUE(pipeline.Commit(RequestOf(3)).ok());
  EXPECT_EQ(SlotRequest(1, 0).CommitTo(&pipeline), 3u);
  EXPECT_EQ(SlotRequest(1, 3).CommitTo(&pipeline), 0u);
}

TEST(CommitPipeline, ConditionIsCheckedAgainAfterRoomWasMade) {
  FakeTarget target(100);
  CommitPipeline pipeline(&target, 0);
  const CommitPipeline::Watch watch(&pipeline);
  target.room_left = 0;
  target.on_make_room = [&] {
    target.on_make_room = nullptr;
    target.room_left = 100;
    EXPECT_EQ(SlotRequest(1).CommitTo(&pipeline), 0u);
  };
  EXPECT_EQ(SlotRequest(1, 0).CommitTo(&pipeline), 1u);
  EXPECT_EQ(pipeline.visible(), 1u);
}

TEST(CommitPipeline, WatchersAreCountedUntilTheyEnd) {
  FakeTarget target(100);
  CommitPipeline pipeline(&target, 0);
  EXPECT_FALSE(pipeline.has_watchers());
  const auto fail = [&] {
    const CommitPipeline::Watch first(&pipeline);
    const CommitPipeline::Watch second(&pipeline);
    throw std::runtime_error("inside of two watches");
  };
  EXPECT_THROW(fail(), std::runtime_error);
  EXPECT_FALSE(pipeline.has_watchers());
  {
    const CommitPipeline::Watch first(&pipeline);
    { const CommitPipeline::Watch second(&pipeline); }
    EXPECT_TRUE(pipeline.has_watchers());
  }
  EXPECT_FALSE(pipeline.has_watchers());
}

// A register per slot, written only by conditional commits of the value that was read, plus one.
// The value is the number of commits, if none was lost.
TEST(CommitPipeline, ManyThreadsCommitConditionally) {
  constexpr int kThreads = 8, kCommits = 3000;
  constexpr uint32_t kSlots = 3;
  FakeTarget target(kThreads * kCommits * 2 + 100);
  // By number: the slot's value as of that commit, for the slot that it wrote.
  std::vector<std::atomic<uint32_t>> slot_of(target.applied.size()), value_of(slot_of.size());
  thread_local static uint32_t own_slot, own_value;
  target.on_apply = [&](SequenceNumber first) {
    slot_of[first] = own_slot;
    value_of[first] = own_value;
    return absl::OkStatus();
  };
  CommitPipeline pipeline(&target, 0);
  const auto read = [&](uint32_t slot, SequenceNumber at) {
    for (; at > 0; --at) {
      if (slot_of[at] == slot) return value_of[at].load();
    }
    return uint32_t{0};
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCommits; ++i) {
        own_slot = 1 + static_cast<uint32_t>(i + t) % kSlots;
        const CommitPipeline::Watch watch(&pipeline);
        for (SequenceNumber newer = watch.since();;) {
          ASSERT_TRUE(pipeline.WaitUntilPublished(newer).ok());
          const SequenceNumber read_at = pipeline.visible();
          own_value = read(own_slot, read_at) + 1;
          newer = SlotRequest(own_slot, read_at).CommitTo(&pipeline);
          if (newer == 0) break;
          ASSERT_GT(newer, read_at);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint32_t sum = 0;
  for (uint32_t slot = 1; slot <= kSlots; ++slot) sum += read(slot, pipeline.visible());
  EXPECT_EQ(sum, static_cast<uint32_t>(kThreads * kCommits));
}

// Order, visibility, no number twice, no number lost, under as many threads as it takes.
TEST(CommitPipeline, ManyThreadsCommitAndSeeTheirOwnWrites) {
  constexpr int kThreads = 8;
  constexpr int kCommits = 10000;
  FakeTarget target(kThreads * kCommits * 3 + 100);
  target.room_left = 50;
  CommitPipeline pipeline(&target, 0);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    SequenceNumber before = 0;
    while (!done.load()) {
      const SequenceNumber now = pipeline.visible();
      EXPECT_GE(now, before);
      // All that is visible is applied: looking at a few is enough to catch a hole.
      for (SequenceNumber s = now; s > before && s + 50 > now; --s) EXPECT_EQ(target.applied[s], 1);
      before = now;
    }
  });
  std::atomic<uint64_t> operations{0};
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      SequenceNumber before = 0;
      for (int i = 0; i < kCommits; ++i) {
        const uint32_t count = 1 + static_cast<uint32_t>(i + t) % 3;
        CommitRequest request = RequestOf(count);
        ASSERT_TRUE(pipeline.Commit(request).ok());
        operations += count;
        const SequenceNumber now = pipeline.visible();
        ASSERT_GT(now, before);
        before = now;
        if (i % 1000 == 0) {
          SequenceNumber last = 0;
          pipeline.RunUnderCommitLock([&](SequenceNumber allocated) { last = allocated; });
          ASSERT_TRUE(pipeline.WaitUntilPublished(last).ok());
          ASSERT_GE(pipeline.visible(), last);
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  reader.join();
  EXPECT_EQ(pipeline.visible(), operations.load());
  for (SequenceNumber s = 1; s <= operations.load(); ++s) ASSERT_EQ(target.applied[s], 1) << s;
}

TEST(CommitPipeline, MoreThreadsThanCoresFallAsleepAndWake) {
  constexpr int kThreads = 32;
  FakeTarget target(100000);
  target.on_apply = [&](SequenceNumber first) {
    if (first % 7 == 0) std::this_thread::yield();
    return absl::OkStatus();
  };
  CommitPipeline pipeline(&target, 0);
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&] {
      for (int i = 0; i < 300; ++i) ASSERT_TRUE(pipeline.Commit(RequestOf(1)).ok());
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(pipeline.visible(), kThreads * 300u);
}

// Errors in the thick of it: acked means published, which no commit behind a failed one is; after
// each reset it goes on.
TEST(CommitPipeline, ManyThreadsMeetErrorsAndResets) {
  constexpr int kThreads = 8;
  FakeTarget target(2000000);
  std::atomic<int> calls{0};
  target.on_write_log = [&](SequenceNumber) {
    return calls.fetch_add(1) % 997 == 996 ? absl::UnavailableError("write failed")
                                           : absl::OkStatus();
  };
  CommitPipeline pipeline(&target, 0);
  std::atomic<int> resets{0};
  std::vector<std::atomic<bool>> acked(target.applied.size());
  std::vector<std::pair<SequenceNumber, SequenceNumber>> failed;  // first and last
  std::mutex reset_mu;                                            // guards it
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        const absl::Status status = pipeline.Commit(RequestOf(1));
        if (status.ok()) {
          acked[FakeTarget::last_applied] = true;
          continue;
        }
        ASSERT_TRUE(absl::IsUnavailable(status)) << status;
        std::lock_guard lock(reset_mu);
        if (pipeline.status().ok()) continue;
        pipeline.Drain();
        pipeline.RunUnderCommitLock([&](SequenceNumber last_allocated) {
          failed.emplace_back(pipeline.visible() + 1, last_allocated);
        });
        pipeline.ResetAfterError();
        ASSERT_GE(pipeline.visible(), failed.back().second);
        ++resets;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_GT(resets.load(), 10);
  EXPECT_GT(std::count(acked.begin(), acked.end(), true), 30000);
  for (const auto& [first, last] : failed) {
    for (SequenceNumber s = first; s <= last; ++s) EXPECT_FALSE(acked[s]) << s << " of " << last;
  }
}

}  // namespace
}  // namespace cambium::engine
