// Memory that runs out: each allocation of a script fails once, alone or with those that follow it.
// No call may crash, hang or lie; afterwards the database works again and has lost nothing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

namespace {

// Allocations from now on, and which of them fail, in whatever thread. Thread-safe.
std::atomic<bool> g_armed{false};
std::atomic<uint64_t> g_count{0};
uint64_t g_first = 0;   // written while disarmed
uint64_t g_number = 0;  // likewise

// Counts an allocation. Returns true if it fails.
bool IsDue() {
  if (!g_armed.load(std::memory_order_acquire)) return false;
  const uint64_t here = g_count.fetch_add(1);
  return here >= g_first && here < g_first + g_number;
}

void* OrThrow(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Arm(uint64_t first, uint64_t number) {
  g_first = first;
  g_number = number;
  g_count.store(0);
  g_armed.store(true, std::memory_order_release);
}

// Returns how many allocations there were.
uint64_t Disarm() {
  g_armed.store(false);
  return g_count.load();
}

}  // namespace

// All forms, because those of a sanitizer's runtime do not call each other. Not inlined, because
// GCC then takes malloc and delete for a mismatch.
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment,
                                     const std::nothrow_t&) noexcept {
  if (IsDue()) return nullptr;
  const auto line = static_cast<size_t>(alignment);
  return std::aligned_alloc(line, (std::max<size_t>(size, 1) + line - 1) / line * line);
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return IsDue() ? nullptr : std::malloc(std::max<size_t>(size, 1));
}
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  return OrThrow(operator new(size, alignment, std::nothrow));
}
[[gnu::noinline]] void* operator new(size_t size) {
  return OrThrow(operator new(size, std::nothrow));
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new[](size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return operator new(size, alignment, std::nothrow);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace cambium {
namespace {

constexpr int kKeys = 60;  // more than a memtable of their values

Options SmallOptions() {
  Options options;
  options.memory_budget = size_t{1} << 20;
  options.memtable_size = size_t{64} << 10;
  options.target_file_size = uint64_t{64} << 10;
  options.background_threads = 2;
  return options;
}

// A call may fail for want of memory, and in no other way: what says that a write's outcome is
// unknown is Unavailable.
bool IsAllowed(const absl::Status& status) {
  return status.ok() || absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
}

// A database, what its keys may hold, and a script of calls. Everything that the script needs is
// made beforehand, so that the allocations in it are the library's. Confined to a test.
class Script {
 public:
  explicit Script(const std::string& path) : path_(path) {
    for (int i = 0; i < kKeys; ++i) {
      keys_.push_back(absl::StrCat("key", 100 + i));
      old_.push_back(std::string(2000, 'o') + keys_.back());
      new_.push_back(std::string(2000, 'n') + keys_.back());
      batch_.Put(keys_.back() + "-batch", new_.back());
    }
    views_.assign(keys_.begin(), keys_.end());
    values_.resize(kKeys);
    statuses_.resize(kKeys);
    acked_.resize(kKeys);
    Open();
    for (int i = 0; i < kKeys; ++i) CAMBIUM_EXPECT_OK(db_->Put(keys_[I(i)], old_[I(i)]));
    CAMBIUM_EXPECT_OK(db_->CompactRange());
  }

  void Run() {
    bool fine = true;
    for (int i = 0; i < kKeys; ++i) {
      const WriteOptions options = {.sync = i % 20 == 0};
      acked_[I(i)] =
          Note(i % 4 == 1 ? db_->CompareAndSet(keys_[I(i)], old_[I(i)], new_[I(i)], options)
                          : db_->Put(keys_[I(i)], new_[I(i)], options));
      PinnedValue value;
      const absl::Status read = db_->Get(keys_[I(kKeys - 1 - i)], &value);
      fine = fine && (!Note(read) || value.view().size() == old_[0].size());
    }
    batch_acked_ = Note(db_->Write(batch_));
    db_->MultiGet(views_, values_, statuses_);
    for (const absl::Status& status : statuses_) Note(status);
    Scan();
    Note(db_->Flush());
    Note(db_->CompactRange());
    Scan();
    fine_ = fine;
  }

  // Whatever failed, this does not.
  void CheckAfterwards() {
    EXPECT_TRUE(fine_);
    EXPECT_TRUE(refused_.ok()) << refused_;
    values_.clear();
    // A job that met the lack of memory may be about to say so.
    db_->WaitForIdle().IgnoreError();
    if (db_->GetHealth().state != Health::State::kHealthy) {
      CAMBIUM_ASSERT_OK(db_->Resume());
    }
    CAMBIUM_EXPECT_OK(db_->Put("after", "v"));
    CheckContents();
    CAMBIUM_EXPECT_OK(db_->Verify());
    CAMBIUM_EXPECT_OK(db_->WaitForIdle());
    EXPECT_EQ(db_->GetHealth().state, Health::State::kHealthy) << db_->GetHealth().cause;
    CAMBIUM_EXPECT_OK(db_->Close());
    Open();
    CheckContents();
    EXPECT_EQ(*db_->Get("after"), "v");
    CAMBIUM_EXPECT_OK(db_->Close());
  }

  // Ends the database while memory is short, and looks what is left.
  void CloseAndCheck(uint64_t first, uint64_t number) {
    for (int i = 0; i < kKeys; ++i) {
      acked_[I(i)] = db_->Put(keys_[I(i)], new_[I(i)]).ok();
    }
    batch_acked_ = db_->Write(batch_).ok();
    Arm(first, number);
    const absl::Status closed = db_->Close();
    db_.reset();
    const uint64_t last = Disarm();
    EXPECT_TRUE(IsAllowed(closed)) << closed;
    allocations_ = last;
    Arm(first, number);
    absl::StatusOr<std::unique_ptr<DB>> opened = DB::Open(SmallOptions(), path_);
    const absl::Status status = opened.status();
    opened = absl::CancelledError("");  // ends the database, if there is one
    Disarm();
    EXPECT_TRUE(IsAllowed(status)) << status;
    Open();
    CheckContents();
  }
  uint64_t allocations() const { return allocations_; }

 private:
  static size_t I(int i) { return static_cast<size_t>(i); }

  void Open() {
    auto opened = DB::Open(SmallOptions(), path_);
    CAMBIUM_ASSERT_OK(opened);
    db_ = *std::move(opened);
  }

  bool Note(const absl::Status& status) {
    if (!IsAllowed(status) && refused_.ok()) refused_ = status;
    return status.ok();
  }

  void Scan() {
    try {
      const auto snapshot = db_->GetSnapshot();
      ReadOptions at;
      at.snapshot = snapshot;
      const auto iterator = db_->NewIterator(at);
      int seen = 0;
      for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) ++seen;
      fine_ = fine_ && (Note(iterator->status()) ? seen >= kKeys : true);
      for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) --seen;
      fine_ = fine_ && (Note(iterator->status()) ? seen <= 0 : true);
    } catch (const std::bad_alloc&) {
      // What returns no status may say so like this.
    }
  }

  void CheckContents() {
    for (int i = 0; i < kKeys; ++i) {
      const auto value = db_->Get(keys_[I(i)]);
      CAMBIUM_ASSERT_OK(value);
      EXPECT_TRUE(*value == new_[I(i)] || (!acked_[I(i)] && *value == old_[I(i)])) << keys_[I(i)];
      const auto in_batch = db_->Get(keys_[I(i)] + "-batch");
      if (batch_acked_ || !absl::IsNotFound(in_batch.status())) {
        CAMBIUM_EXPECT_OK(in_batch);
      }
    }
  }

  const std::string path_;
  std::unique_ptr<DB> db_;
  std::vector<std::string> keys_, old_, new_;
  std::vector<std::string_view> views_;
  std::vector<PinnedValue> values_;
  std::vector<absl::Status> statuses_;
  std::vector<bool> acked_;
  WriteBatch batch_;
  bool batch_acked_ = false;
  bool fine_ = true;
  absl::Status refused_;
  uint64_t allocations_ = 0;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kRounds = 40;
#else
constexpr uint64_t kRounds = 250;
#endif

// `number` allocations fail from the k-th on, for many k.
void SweepScript(uint64_t number) {
  uint64_t allocations = 0;
  for (uint64_t round = 0; round <= kRounds; ++round) {
    const test::TempDir dir;
    Script script(dir.Sub("db"));
    const uint64_t first =
        round == 0 ? UINT64_MAX / 2 : (round * allocations + round % 7) / kRounds;
    ::alarm(120);  // a hang is a failure
    Arm(first, number);
    script.Run();
    const uint64_t counted = Disarm();
    if (round == 0) allocations = counted;
    SCOPED_TRACE(absl::StrCat(number, " allocations from number ", first, " of ", allocations));
    script.CheckAfterwards();
    ::alarm(0);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(allocations, 500u);
}

TEST(BadAllocTest, OneAllocationFails) { SweepScript(1); }
TEST(BadAllocTest, ManyAllocationsFail) { SweepScript(30); }

TEST(BadAllocTest, CloseAndOpenFail) {
  uint64_t allocations = 0;
  for (uint64_t round = 0; round <= kRounds / 2; ++round) {
    const test::TempDir dir;
    const uint64_t first =
        round == 0 ? UINT64_MAX / 2 : round * std::max<uint64_t>(allocations, 1) / (kRounds / 2);
    ::alarm(120);
    Script script(dir.Sub("db"));
    SCOPED_TRACE(absl::StrCat("allocation ", first, " of ", allocations));
    script.CloseAndCheck(first, round % 2 == 0 ? 1 : 10);
    if (round == 0) allocations = 2 * script.allocations();
    ::alarm(0);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace cambium
