// Checksums, status macros, the view adapter and the mutex.
#include <gtest/gtest.h>
#include <xxhash.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "util/absl_view.h"
#include "util/checksum.h"
#include "util/mutex.h"
#include "util/status_macros.h"

namespace cambium {
namespace {

TEST(Checksum, HashKeyIsXxh3WithSeedZero) {
  for (const std::string_view key : {std::string_view(""), std::string_view("a"),
                                     std::string_view("a key of more than sixteen bytes")}) {
    EXPECT_EQ(HashKey(key), XXH3_64bits_withSeed(key.data(), key.size(), 0));
  }
  EXPECT_EQ(HashKey(""), 0x2d06800538d394c2ULL);  // stored in files: never changes
}

TEST(Checksum, IsBoundToContentFileAndOffset) {
  std::set<uint64_t> seen;
  for (uint64_t file = 0; file < 20; ++file) {
    for (uint64_t offset = 0; offset < 20; ++offset) {
      seen.insert(Checksum64("content", file, offset * 8));
      seen.insert(Checksum64("consent", file, offset * 8));
    }
  }
  EXPECT_EQ(seen.size(), 800u);
  EXPECT_EQ(Checksum32("content", 3, 4), static_cast<uint32_t>(Checksum64("content", 3, 4)));
}

TEST(Checksum, DigestDoesNotDependOnHowItIsFed) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes.push_back(static_cast<char>(i * 7));
  FileDigest whole, parts;
  whole.Update(bytes);
  for (size_t at = 0; at < bytes.size(); at += 33) {
    parts.Update(std::string_view(bytes).substr(at, 33));
  }
  parts.Update({});
  EXPECT_EQ(whole.Value(), parts.Value());
  EXPECT_EQ(whole.Value(), HashKey(bytes));
  parts.Update("x");
  EXPECT_NE(whole.Value(), parts.Value());
}

TEST(AbslView, KeepsTheBytes) {
  const std::string bytes("a\0b", 3);
  EXPECT_EQ(FromAbsl(ToAbsl(bytes)), bytes);
  EXPECT_EQ(FromAbsl(ToAbsl(bytes)).data(), bytes.data());
}

absl::Status FailIf(int number, int bad) {
  return number == bad ? absl::DataLossError(std::to_string(number)) : absl::OkStatus();
}
absl::StatusOr<std::unique_ptr<int>> MakeUnless(int number, int bad) {
  RETURN_IF_ERROR(FailIf(number, bad));
  return std::make_unique<int>(number);
}
absl::StatusOr<int> SumUnless(int bad) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> one, MakeUnless(1, bad));
  ASSIGN_OR_RETURN(const std::unique_ptr<int> two, MakeUnless(2, bad));
  return *one + *two;
}

TEST(StatusMacros, PassValuesOnAndErrorsOut) {
  EXPECT_EQ(*SumUnless(0), 3);
  EXPECT_EQ(SumUnless(1).status(), absl::DataLossError("1"));
  EXPECT_EQ(SumUnless(2).status(), absl::DataLossError("2"));
}

TEST(Mutex, ExcludesAndWakes) {
  struct Shared {
    Mutex mutex;
    CondVar changed;
    int turns ABSL_GUARDED_BY(mutex) = 0;
  } shared;
  const auto take_turns = [&shared](int parity) {
    for (int i = 0; i < 100; ++i) {
      MutexLock lock(&shared.mutex);
      while (shared.turns % 2 != parity) shared.changed.Wait(&shared.mutex);
      ++shared.turns;
      shared.changed.SignalAll();
    }
  };
  std::thread even(take_turns, 0), odd(take_turns, 1);
  even.join();
  odd.join();
  MutexLock lock(&shared.mutex);
  EXPECT_EQ(shared.turns, 200);
  shared.changed.WaitFor(&shared.mutex, 1000);  // comes back without a signal
}

TEST(Mutex, TryLockSaysWhetherItIsHeld) {
  Mutex mutex;
  const auto try_in_thread = [&mutex] {
    bool taken = false;
    std::thread([&] {
      if (!mutex.TryLock()) return;
      taken = true;
      mutex.Unlock();
    }).join();
    return taken;
  };
  EXPECT_TRUE(try_in_thread());
  MutexLock lock(&mutex);
  EXPECT_FALSE(try_in_thread());
}

}  // namespace
}  // namespace cambium
