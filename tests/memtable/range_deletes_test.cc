#include "memtable/range_deletes.h"

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "memtable/memtable.h"

namespace cambium::memtable {
namespace {

std::string Key(uint64_t number) { return absl::StrFormat("key%08d", number); }

const KeyOrder kOrder(BytewiseComparator());

void AddRange(uint64_t begin, uint64_t end, SequenceNumber sequence, RangeDeletes* to) {
  const std::string first = Key(begin), last = Key(end);  // it copies them
  to->Add({KeyCut::Before(first), KeyCut::Before(last), sequence});
}

TEST(RangeDeletes, FindsTheNewestVisibleOne) {
  RangeDeletes deletes(kOrder);
  EXPECT_FALSE(deletes.any());
  EXPECT_EQ(deletes.NewestOver(Key(1), kMaxSequenceNumber), 0u);
  AddRange(5, 5, 1, &deletes);
  EXPECT_FALSE(deletes.any()) << "an empty range";
  std::mt19937_64 random(3);
  struct Range {
    uint64_t begin, end;
  };
  std::vector<Range> ranges(1);  // by sequence number
  for (SequenceNumber sequence = 1; sequence <= 500; ++sequence) {
    const uint64_t begin = random() % 1000;
    ranges.push_back({begin, begin + 1 + random() % 50});
    AddRange(ranges.back().begin, ranges.back().end, sequence, &deletes);
    for (int i = 0; i < 20; ++i) {
      const uint64_t at = random() % 1050;
      const SequenceNumber at_most = i % 2 == 0 ? kMaxSequenceNumber : random() % (sequence + 1);
      SequenceNumber expected = 0;
      for (SequenceNumber s = 1; s <= std::min(at_most, sequence); ++s) {
        if (ranges[s].begin <= at && at < ranges[s].end) expected = s;
      }
      ASSERT_EQ(deletes.NewestOver(Key(at), at_most), expected);
    }
  }
}

// Reads and range deletes that alternate cost little each.
TEST(RangeDeletes, KeepsFewIndexes) {
  RangeDeletes deletes(kOrder);
  for (uint64_t i = 1; i <= 30'000; ++i) {
    AddRange(3 * i, 3 * i + 1, i, &deletes);
    if (i % 1000 != 0) continue;
    size_t count = 0, indexes = 0;
    for (const RangeDeletes::Index& index : deletes.Get()) {
      count += index->tombstones().size();
      ++indexes;
    }
    EXPECT_EQ(count, i);
    EXPECT_LE(indexes, 9u);
  }
}

TEST(RangeDeletes, CanBeReadDuringEveryAdd) {
  RangeDeletes deletes(kOrder);
  std::atomic<uint64_t> added{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937_64 random(static_cast<uint64_t>(reader));
      while (!stop.load()) {
        const uint64_t visible = added.load();
        if (visible == 0) continue;
        const uint64_t number = 1 + random() % visible;
        EXPECT_EQ(deletes.NewestOver(Key(2 * number), visible), number);
        EXPECT_EQ(deletes.NewestOver(Key(2 * number + 1), visible), 0u);
        if (number % 64 == 0) {
          EXPECT_FALSE(deletes.Get().empty());
        }
      }
    });
  }
  for (uint64_t i = 1; i <= 5'000; ++i) {
    AddRange(2 * i, 2 * i + 1, i, &deletes);
    added.store(i);
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
}

TEST(MemTable, GetStopsAtARangeTombstone) {
  ChunkPool pool(MemTable::ChunkBytesFor(size_t{1} << 20), 0);
  MemTable table(kOrder, &pool, size_t{1} << 20);
  const auto put = [&](uint64_t number, SequenceNumber sequence) {
    const std::string key = Key(number);
    table.Add(key, MakeTrailer(sequence, Kind::kValue), "value", HashKey(key));
  };
  put(1, 1);
  put(1, 5);
  put(2, 2);
  const std::string begin = Key(0), end = Key(4);
  table.AddRangeDelete({KeyCut::Before(begin), KeyCut::Before(end), 4});
  const auto read = [&](uint64_t number, SequenceNumber sequence) {
    const std::string key = Key(number);
    KeyFold fold(sequence);
    return table.Get(LookupKey(key, sequence, kOrder), &fold);
  };
  EXPECT_EQ(read(1, 9), KeyFold::State::kValue);
  EXPECT_EQ(read(1, 4), KeyFold::State::kDeleted);
  EXPECT_EQ(read(1, 3), KeyFold::State::kValue) << "older than the tombstone";
  EXPECT_EQ(read(2, 9), KeyFold::State::kDeleted);
  EXPECT_EQ(read(3, 9), KeyFold::State::kDeleted) << "hides older sources";
  EXPECT_EQ(read(3, 3), KeyFold::State::kMore);
  EXPECT_EQ(read(4, 9), KeyFold::State::kMore) << "the end is not part of the range";
}

}  // namespace
}  // namespace cambium::memtable
