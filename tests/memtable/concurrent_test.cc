// The memtable under many writers and readers. Run under ThreadSanitizer too.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "memtable/memtable.h"
#include "memtable_test_util.h"

namespace cambium::memtable {
namespace {

constexpr size_t kCapacity = size_t{4} << 20;
constexpr int kWriters = 8;

// How the writers' keys lie.
enum class Pattern { kRandom, kAscending, kDescending, kFewKeys };

// The key and trailer of the i-th entry of a writer. Each sequence number is used once.
std::pair<std::string, Trailer> EntryOf(Pattern pattern, int writer, int i) {
  const auto number = static_cast<uint64_t>(i) * kWriters + static_cast<uint64_t>(writer);
  const Trailer trailer = MakeTrailer(number + 1, Kind::kValue);
  switch (pattern) {
    case Pattern::kAscending:
      return {ShapedKey(4, number), trailer};
    case Pattern::kDescending:
      return {ShapedKey(4, 1'000'000 - number), trailer};
    case Pattern::kFewKeys:
      return {"key" + std::to_string(MixBits(number) % 20), trailer};
    case Pattern::kRandom:
      break;
  }
  return {ShapedKey(MixBits(number) % kKeyShapes, MixBits(number) % 100'000), trailer};
}

std::string ValueOf(std::string_view key, Trailer trailer) {
  return std::string(key.substr(0, 20)) + std::to_string(trailer);
}

// A memtable, its writers, and how far each has come. Confined to one test.
class Scene {
 public:
  Scene(Pattern pattern, int entries_per_writer, const Comparator* comparator)
      : pattern_(pattern),
        entries_(entries_per_writer),
        order_(comparator),
        pool_(MemTable::ChunkBytesFor(kCapacity), 0),
        memtable_(order_, &pool_, kCapacity),
        done_(kWriters) {
    for (auto& done : done_) done.store(0);
  }

  void StartWriters() {
    for (int writer = 0; writer < kWriters; ++writer) {
      threads_.emplace_back([this, writer] {
        for (int i = 0; i < entries_; ++i) {
          const auto [key, trailer] = EntryOf(pattern_, writer, i);
          memtable_.Add(key, trailer, ValueOf(key, trailer), Hash(key));
          Done(writer).store(i + 1, std::memory_order_release);
        }
      });
    }
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  bool Running() {
    for (int writer = 0; writer < kWriters; ++writer) {
      if (Done(writer).load(std::memory_order_relaxed) < entries_) return true;
    }
    return false;
  }

  // An entry that a writer has finished with is found, by Get at its own sequence number.
  void CheckOneOf(int writer, Random* random) {
    const int done = Done(writer).load(std::memory_order_acquire);
    if (done == 0) return;
    const auto pick = static_cast<int>(random->Uniform(static_cast<uint64_t>(done)));
    const auto [key, trailer] = EntryOf(pattern_, writer, pick);
    const LookupKey lookup(key, TrailerSequence(trailer), order_);
    KeyFold fold(lookup.sequence);
    ASSERT_EQ(memtable_.Get(lookup, &fold), KeyFold::State::kValue);
    ASSERT_EQ(fold.value(), ValueOf(key, trailer));
    const auto iterator = memtable_.NewIterator();
    iterator->Seek(key, trailer);
    ASSERT_TRUE(iterator->Valid());
    ASSERT_EQ(iterator->trailer(), trailer);
    iterator->SeekForPrev(key, trailer);
    ASSERT_TRUE(iterator->Valid());
    ASSERT_EQ(iterator->trailer(), trailer);
  }

  // A whole walk is in order, and sees at least what was there when it began.
  void CheckWalk(bool forward) {
    uint64_t at_least = 0;
    for (int writer = 0; writer < kWriters; ++writer) {
      at_least += static_cast<uint64_t>(Done(writer).load(std::memory_order_acquire));
    }
    const auto iterator = memtable_.NewIterator();
    uint64_t seen = 0;
    std::string_view last_key;
    Trailer last_trailer = 0;
    forward ? iterator->SeekToFirst() : iterator->SeekToLast();
    for (; iterator->Valid(); forward ? iterator->Next() : iterator->Prev()) {
      if (seen > 0) {
        const int order =
            order_.CompareEntries(last_key, last_trailer, iterator->key(), iterator->trailer());
        ASSERT_TRUE(forward ? order < 0 : order > 0);
      }
      last_key = iterator->key();
      last_trailer = iterator->trailer();
      ++seen;
    }
    ASSERT_GE(seen, at_least);
  }

  void CheckAll() {
    CheckWalk(true);
    CheckWalk(false);
    for (int writer = 0; writer < kWriters; ++writer) {
      for (int i = 0; i < entries_; ++i) {
        const auto [key, trailer] = EntryOf(pattern_, writer, i);
        const LookupKey lookup(key, TrailerSequence(trailer), order_);
        KeyFold fold(lookup.sequence);
        ASSERT_TRUE(memtable_.MayContain(lookup.hash));
        ASSERT_EQ(memtable_.Get(lookup, &fold), KeyFold::State::kValue);
        ASSERT_EQ(fold.value(), ValueOf(key, trailer));
      }
    }
  }

 private:
  uint64_t Hash(std::string_view key) const {
    return order_.comparator_identical() ? HashKey(key) : 0;
  }
  std::atomic<int>& Done(int writer) { return done_[static_cast<size_t>(writer)]; }

  const Pattern pattern_;
  const int entries_;
  const KeyOrder order_;
  ChunkPool pool_;
  MemTable memtable_;
  std::vector<std::atomic<int>> done_;
  std::vector<std::thread> threads_;
};

void RunScene(Pattern pattern, int entries, const Comparator* comparator = BytewiseComparator()) {
  Scene scene(pattern, entries, comparator);
  scene.StartWriters();
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&scene, reader] {
      Random random(static_cast<uint64_t>(reader) + 1);
      while (scene.Running()) {
        for (int i = 0; i < 50; ++i) {
          ASSERT_NO_FATAL_FAILURE(scene.CheckOneOf(static_cast<int>(random.Uniform(8)), &random));
        }
        ASSERT_NO_FATAL_FAILURE(scene.CheckWalk(reader == 0));
      }
    });
  }
  scene.Join();
  for (std::thread& reader : readers) reader.join();
  scene.CheckAll();
}

TEST(MemTableConcurrent, FindsEverythingWhenKeysAreRandom) { RunScene(Pattern::kRandom, 3000); }
TEST(MemTableConcurrent, FindsEverythingWhenKeysAscend) { RunScene(Pattern::kAscending, 3000); }
TEST(MemTableConcurrent, FindsEverythingWhenKeysDescend) { RunScene(Pattern::kDescending, 3000); }
TEST(MemTableConcurrent, FindsEveryVersionOfFewKeys) { RunScene(Pattern::kFewKeys, 2000); }
TEST(MemTableConcurrent, FindsEverythingWhenSpellingsMayBeEqual) {
  const CaselessComparator caseless;
  RunScene(Pattern::kRandom, 1000, &caseless);
}

// Many short lives: the first split, the first level above the leaves, the first chunks.
TEST(MemTableConcurrent, FindsEverythingFromTheFirstSplitOn) {
  for (int round = 0; round < 20; ++round) {
    Scene scene(Pattern::kRandom, 60, BytewiseComparator());
    scene.StartWriters();
    scene.Join();
    ASSERT_NO_FATAL_FAILURE(scene.CheckAll());
  }
}

}  // namespace
}  // namespace cambium::memtable
