// Tables from the builder through the reader: every read and walk against the sorted entries, over
// many shapes of entries and options.
#include <array>
#include <limits>

#include "tests/sstable/table_support.h"
#include "util/checksum.h"

namespace cambium::sstable {
namespace {

const ReverseOrder kReverse;
const CaselessOrder kCaseless;

void CheckMultiGet(const TableReader& reader, const std::vector<OwnedEntry>& entries,
                   const KeyOrder& order, CacheFill fill) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> keys(40);
    for (std::string& key : keys) {
      key = entries[random() % entries.size()].key;
      if (random() % 4 == 0) key.push_back('!');
    }
    const SequenceNumber sequence =
        random() % 2 == 0 ? kMaxSequenceNumber
                          : TrailerSequence(entries[random() % entries.size()].trailer);
    std::vector<LookupKey> lookups;
    std::vector<KeyFold> folds;
    std::vector<PinnedValue> values(keys.size());
    std::vector<LookupRequest> requests(keys.size());
    for (const std::string& key : keys) {
      lookups.emplace_back(key, sequence, order);
      folds.emplace_back(sequence);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      requests[i].key = &lookups[i];
      requests[i].fold = &folds[i];
      requests[i].value = &values[i];
    }
    reader.MultiGet(requests, fill);
    for (size_t i = 0; i < keys.size(); ++i) {
      ASSERT_TRUE(requests[i].status.ok()) << requests[i].status;
      const Found found = {folds[i].state(), values[i].ToString()};
      ASSERT_EQ(found, FindInEntries(entries, order, keys[i], sequence));
    }
  }
}

void CheckTable(TestTable* table, const std::vector<OwnedEntry>& entries) {
  ASSERT_TRUE(table->Write(entries).ok());
  auto opened = table->Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  const TableReader& reader = **opened;
  const KeyOrder& order = table->order();
  {
    SCOPED_TRACE("iterator");
    CheckIterator(reader.NewIterator({}).get(), entries, order, 2);
    CheckIterator(reader.NewIterator({.fill = CacheFill::kNo}).get(), entries, order, 3);
    CheckIterator(reader.NewIterator({.readahead_bytes = 40'000}).get(), entries, order, 4);
  }
  CheckReads(reader, entries, order);
  CheckReads(reader, entries, order, CacheFill::kNo);
  CheckMultiGet(reader, entries, order, {});
  CheckMultiGet(reader, entries, order, CacheFill::kNo);
  const absl::Status verified = reader.Verify(table->summary().digest);
  ASSERT_TRUE(verified.ok()) << verified;

  const TableProperties& properties = reader.properties();
  const TableSummary& summary = table->summary();
  EXPECT_EQ(summary.file_size, table->Bytes().size());
  EXPECT_EQ(summary.entries, entries.size());
  EXPECT_EQ(properties.entries, entries.size());
  EXPECT_EQ(summary.smallest_key, entries.front().key);
  EXPECT_EQ(summary.largest_key, entries.back().key);
  EXPECT_EQ(properties.smallest_key, entries.front().key);
  EXPECT_EQ(properties.largest_key, entries.back().key);
  EXPECT_EQ(properties.data_blocks, summary.data_blocks);
  SequenceNumber smallest = kMaxSequenceNumber, largest = 0;
  uint64_t tombstones = 0;
  for (const OwnedEntry& entry : entries) {
    smallest = std::min(smallest, TrailerSequence(entry.trailer));
    largest = std::max(largest, TrailerSequence(entry.trailer));
    tombstones += TrailerKind(entry.trailer) == Kind::kDelete ? 1 : 0;
  }
  EXPECT_EQ(summary.smallest_sequence, smallest);
  EXPECT_EQ(summary.largest_sequence, largest);
  EXPECT_EQ(summary.tombstones, tombstones);
}

TEST(Table, HoldsEntriesOfEveryShape) {
  const Shape shapes[] = {
      {.count = 1, .keys = 1},
      {.count = 2, .keys = 1},
      {.count = 3000, .keys = 3000, .key_size = 16, .value_size = 100},
      {.count = 3000, .keys = 3000, .value_size = 10},
      {.count = 3000, .keys = 30, .value_size = 100},
      {.count = 2000, .keys = 1, .value_size = 100},
      {.count = 2000, .keys = 2000, .value_size = 0, .tombstones = 1},
      {.count = 200, .keys = 200, .key_size = 3000, .value_size = 9000},
  };
  uint64_t seed = 0;
  for (Shape shape : shapes) {
    shape.seed = ++seed;
    SCOPED_TRACE(seed);
    TestTable table;
    CheckTable(&table, RandomEntries(shape, table.order()));
  }
}

TEST(Table, HoldsEntriesUnderEveryOption) {
  const Shape shape = {.count = 2000, .keys = 700, .value_size = 60};
  for (const Compression compression : {Compression::kNone, Compression::kZstd}) {
    for (const double filter_bits : {0.0, 1.0, 10.0}) {
      for (const size_t block_size : {size_t{1}, size_t{300}, size_t{1} << 20}) {
        SCOPED_TRACE(::testing::Message() << filter_bits << " " << block_size);
        TestTable table;
        table.options().compression = compression;
        table.options().filter_bits_per_key = filter_bits;
        table.options().block_size = block_size;
        CheckTable(&table, RandomEntries(shape, table.order()));
      }
    }
  }
}

TEST(Table, HoldsEntriesInOtherOrders) {
  for (const Comparator* comparator :
       {static_cast<const Comparator*>(&kReverse), static_cast<const Comparator*>(&kCaseless)}) {
    SCOPED_TRACE(comparator->Name());
    TestTable table;
    table.options().order = KeyOrder(comparator);
    table.options().block_size = 300;
    CheckTable(&table, RandomEntries({.count = 2000, .keys = 500}, table.order()));
  }
}

TEST(Table, FindsKeysOfOtherBytesWhereTheOrderSaysEqual) {
  TestTable table;
  table.options().order = KeyOrder(&kCaseless);
  ASSERT_TRUE(table
                  .Write({{"Ant", MakeTrailer(1, Kind::kValue), "1"},
                          {"bee", MakeTrailer(2, Kind::kValue), "2"}})
                  .ok());
  auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(FindInTable(**reader, table.order(), "aNT", 9)->value, "1");
  EXPECT_EQ(FindInTable(**reader, table.order(), "BEE", 9)->value, "2");
}

TEST(Table, StaysCorrectWhereNothingStaysCached) {
  for (const size_t capacity : {size_t{0}, size_t{20'000}}) {
    TestTable table(capacity);
    table.options().block_size = 500;
    CheckTable(&table, RandomEntries({.count = 3000, .keys = 900}, table.order()));
  }
}

TEST(Table, HoldsLargeValuesAndPinsThem) {
  TestTable table;
  std::vector<OwnedEntry> entries;
  for (int i = 0; i < 6; ++i) {
    entries.push_back({std::string(1, static_cast<char>('a' + i)), MakeTrailer(5, Kind::kValue),
                       std::string(i % 2 == 0 ? 10 : 5 << 20, static_cast<char>('A' + i))});
  }
  ASSERT_TRUE(table.Write(entries).ok());
  auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  CheckIterator(reader->get()->NewIterator({}).get(), entries, table.order(), 1, 5);

  std::vector<PinnedValue> values(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    KeyFold fold(9);
    ASSERT_TRUE(
        (*reader)->Get(LookupKey(entries[i].key, 9, table.order()), {}, &fold, &values[i]).ok());
  }
  // Pinned values outlive the table, and the room that the cache would give them.
  reader->reset();
  table.cache().SetCapacity(0);
  table.epochs().Drain();
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(values[i].view(), entries[i].value);
  }
  EXPECT_GE(table.cache().Usage(), size_t{15} << 20);
  values.clear();
  table.epochs().Drain();
  EXPECT_EQ(table.cache().Usage(), 0u);
}

TEST(Table, HoldsTheLargestKeys) {
  TestTable table;
  std::vector<OwnedEntry> entries;
  for (int i = 0; i < 5; ++i) {
    std::string key(kMaxKeySize, 'x');
    key.back() = static_cast<char>('a' + i);
    entries.push_back({std::move(key), MakeTrailer(5, Kind::kValue), "v"});
  }
  CheckTable(&table, entries);
}

TEST(Table, OpenTableTakesNoMemoryPerDataBlock) {
  std::array<size_t, 2> reserved{};
  std::array<uint64_t, 2> blocks{};
  for (const size_t i : {0, 1}) {
    TestTable table;
    table.options().block_size = i == 0 ? 50'000 : 700;
    ASSERT_TRUE(
        table
            .Write(RandomEntries({.count = 800, .keys = 1 << 20, .key_size = 16, .value_size = 100},
                                 table.order()))
            .ok());
    const auto reader = table.Open();
    ASSERT_TRUE(reader.ok()) << reader.status();
    ASSERT_EQ((*reader)->properties().partitions, 1u);
    blocks[i] = (*reader)->properties().data_blocks;
    reserved[i] = table.cache().Stats().reserved;
    // Neither do cached blocks: their slots are counted with the index partition.
    CheckIterator((*reader)->NewIterator({}).get(),
                  RandomEntries({.count = 800, .keys = 1 << 20, .key_size = 16, .value_size = 100},
                                table.order()),
                  table.order(), 1, 5);
    EXPECT_EQ(table.cache().Stats().reserved, reserved[i]);
  }
  EXPECT_GT(blocks[1], 10 * blocks[0]);
  EXPECT_NEAR(double(reserved[0]), double(reserved[1]), 64);
}

// 40,000 data blocks and a cache of 256 KiB.
TEST(Table, SmallCacheStillCachesBlocksOfALargeTable) {
  TestTable table(size_t{256} << 10);
  table.options().block_size = 1;
  const std::vector<OwnedEntry> entries = RandomEntries(
      {.count = 40'000, .keys = 1 << 30, .key_size = 16, .value_size = 10}, table.order());
  ASSERT_TRUE(table.Write(entries).ok());
  const auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_GT((*reader)->properties().data_blocks, 39'000u);
  EXPECT_LT(table.cache().Stats().reserved, size_t{96} << 10);
  uint64_t misses = 0;
  for (int round = 0; round < 2; ++round) {
    misses = table.cache().Stats().misses;
    for (size_t i = 20'000; i < 20'100; ++i) {
      const auto found = FindInTable(**reader, table.order(), entries[i].key, kMaxSequenceNumber);
      ASSERT_TRUE(found.ok()) << found.status();
    }
  }
  EXPECT_EQ(table.cache().Stats().misses, misses);
}

// An index partition that left the cache takes its data blocks along, and no other enters below it.
TEST(Table, DataBlocksOfAnEvictedIndexStayOutsideTheCache) {
  TestTable table;
  table.options().block_size = 300;
  const std::vector<OwnedEntry> entries =
      RandomEntries({.count = 300, .keys = 300, .value_size = 60}, table.order());
  ASSERT_TRUE(table.Write(entries).ok());
  auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto iterator = (*reader)->NewIterator({});
  size_t at = 0;
  for (iterator->SeekToFirst(); at < entries.size() / 2; iterator->Next()) ++at;
  EXPECT_GT(table.cache().Stats().frames, 5u);
  table.cache().SetCapacity(0);
  EXPECT_EQ(table.cache().Stats().frames, 0u);
  table.cache().SetCapacity(size_t{1} << 20);
  for (; iterator->Valid(); iterator->Next(), ++at) {
    ASSERT_TRUE(StandsAt(*iterator, entries, at));
  }
  EXPECT_EQ(at, entries.size());
  EXPECT_EQ(table.cache().Stats().frames, 0u);
  iterator = (*reader)->NewIterator({});
  iterator->SeekToLast();
  EXPECT_EQ(table.cache().Stats().frames, 2u);  // an index partition and a data block
  iterator.reset();
  reader->reset();
  table.epochs().Drain();
  EXPECT_EQ(table.cache().Usage(), 0u);
}

TEST(Table, SplitsIntoPartitions) {
  TestTable table;
  table.options().block_size = 200;
  CheckTable(&table, RandomEntries({.count = 4000, .keys = 4000, .key_size = 16, .value_size = 40},
                                   table.order()));
  EXPECT_GT(table.Open().value()->properties().partitions, 2u);
}

TEST(Table, FilterKeepsMostMissesFromTheBlocks) {
  TestTable table;
  const Shape shape = {.count = 20'000, .keys = 1 << 20, .key_size = 16, .value_size = 10};
  ASSERT_TRUE(table.Write(RandomEntries(shape, table.order())).ok());
  auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  const uint64_t before = table.cache().Stats().misses;
  for (uint64_t i = 0; i < 10'000; ++i) {
    const std::string key = RandomKey(shape, (uint64_t{1} << 20) + i);
    const auto found = FindInTable(**reader, table.order(), key, 9, CacheFill::kNo);
    ASSERT_EQ(found->state, KeyFold::State::kMore);
  }
  // A data block for each key that a filter lets through.
  EXPECT_LT(table.cache().Stats().misses - before, 300u);
  EXPECT_GT(table.cache().Stats().filter_negatives, 9'700u);
}

TEST(Table, EstimatesSizeAndOffsets) {
  TestTable table;
  const std::vector<OwnedEntry> entries =
      RandomEntries({.count = 20'000, .keys = 1 << 20, .key_size = 16}, table.order());
  TableBuilder builder(table.options(), table.file_system().CreateWritable(kTestPath).value());
  for (const OwnedEntry& entry : entries) {
    ASSERT_TRUE(builder.Add(entry.key, entry.trailer, entry.value).ok());
  }
  const double estimate = double(builder.EstimatedFileSize());
  const double size = double(builder.Finish()->file_size);
  EXPECT_NEAR(estimate / size, 1.0, 0.02);
  EXPECT_EQ(builder.entries(), entries.size());

  auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  uint64_t last = 0;
  for (size_t i = 0; i < entries.size(); i += 100) {
    const uint64_t offset = (*reader)->ApproximateOffsetOf(entries[i].key);
    EXPECT_GE(offset, last);
    EXPECT_NEAR(double(offset) / size, double(i) / double(entries.size()), 0.05);
    last = offset;
  }
  EXPECT_EQ((*reader)->ApproximateOffsetOf(""), 0u);
  EXPECT_GE((*reader)->ApproximateOffsetOf("\xff"), last);
}

TEST(Table, IsReadByManyWhoShareOneRead) {
  TestTable table;
  table.options().block_size = 4000;
  const std::vector<OwnedEntry> entries =
      RandomEntries({.count = 400, .keys = 4000, .key_size = 16}, table.order());
  ASSERT_TRUE(table.Write(entries).ok());
  auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  const uint64_t before = table.cache().Stats().misses;
  CheckMultiGet(**reader, entries, table.order(), {});
  EXPECT_LE(table.cache().Stats().misses - before, (*reader)->properties().data_blocks);
}

TEST(TableBuilder, RefusesEntriesOutOfOrder) {
  for (const auto& [key, trailer] :
       {std::pair<std::string, Trailer>{"a", MakeTrailer(9, Kind::kValue)},
        {"b", MakeTrailer(5, Kind::kValue)},
        {"b", MakeTrailer(6, Kind::kValue)}}) {
    TestTable table;
    TableBuilder builder(table.options(), table.file_system().CreateWritable(kTestPath).value());
    ASSERT_TRUE(builder.Add("b", MakeTrailer(5, Kind::kValue), "").ok());
    EXPECT_EQ(builder.Add(key, trailer, "").code(), absl::StatusCode::kInternal);
    // It stays failed.
    EXPECT_EQ(builder.Add("c", MakeTrailer(5, Kind::kValue), "").code(),
              absl::StatusCode::kInternal);
    EXPECT_EQ(builder.Finish().status().code(), absl::StatusCode::kInternal);
  }
}

TEST(TableBuilder, RefusesKeysPastTheLimit) {
  TestTable table;
  TableBuilder builder(table.options(), table.file_system().CreateWritable(kTestPath).value());
  EXPECT_TRUE(absl::IsInvalidArgument(
      builder.Add(std::string(kMaxKeySize + 1, 'k'), MakeTrailer(5, Kind::kValue), "")));
}

TEST(TableBuilder, WritesNoTableWithoutEntriesAndNothingAfterFinish) {
  TestTable table;
  EXPECT_TRUE(absl::IsFailedPrecondition(table.Write({})));
  EXPECT_EQ(table.Bytes(), "");

  ASSERT_TRUE(table.file_system().Remove(kTestPath).ok());
  TableBuilder builder(table.options(), table.file_system().CreateWritable(kTestPath).value());
  ASSERT_TRUE(builder.Add("a", MakeTrailer(5, Kind::kValue), "").ok());
  ASSERT_TRUE(builder.Finish().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(builder.Add("b", MakeTrailer(5, Kind::kValue), "")));
  EXPECT_TRUE(absl::IsFailedPrecondition(builder.Finish().status()));
}

TEST(TableBuilder, LeavesASyncedFile) {
  TestTable table;
  ASSERT_TRUE(table.Write({{"a", MakeTrailer(5, Kind::kValue), "1"}}).ok());
  ASSERT_TRUE(table.file_system().SyncDirectory("/").ok());
  const auto after = table.file_system().CrashClone(env::CrashPolicy::kSyncedOnly, 1);
  EXPECT_EQ(after->FileSize(kTestPath).value(), table.summary().file_size);
}

}  // namespace
}  // namespace cambium::sstable
