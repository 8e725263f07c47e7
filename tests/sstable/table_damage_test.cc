// Damaged, malicious, and failing files: every result is right, or an error that names the file.
#include "env/testing/fault_file_system.h"
#include "sstable/block/index_partition.h"
#include "sstable/table/table_file.h"
#include "sstable/table/table_format.h"
#include "tests/sstable/table_support.h"

namespace cambium::sstable {
namespace {

using ::testing::HasSubstr;

// A small table of several blocks and, with `partitions`, of several partitions.
std::vector<OwnedEntry> SmallEntries(const KeyOrder& order) {
  return RandomEntries({.count = 60, .keys = 40, .key_size = 12, .value_size = 30}, order);
}

void WriteSmall(TestTable* table, Compression compression) {
  table->options().compression = compression;
  table->options().block_size = 400;
  ASSERT_TRUE(table->Write(SmallEntries(table->order())).ok());
}

// Whether a read went right or said that this file is damaged.
::testing::AssertionResult RightOrDamaged(const absl::Status& status) {
  if (status.ok()) return ::testing::AssertionSuccess();
  const bool names = status.message().find(kTestPath) != absl::string_view::npos;
  if (names && (absl::IsDataLoss(status) || absl::IsUnimplemented(status))) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << status;
}

// Reads everything in every way, and counts the errors. With kExact what is found must be right.
enum class Answers { kExact, kSafe };
void ReadAll(TestTable* table, const std::vector<OwnedEntry>& entries, Answers answers,
             int* errors) {
  auto reader = table->Open();
  ASSERT_TRUE(RightOrDamaged(reader.status()));
  if (!reader.ok()) {
    ++*errors;
    return;
  }
  for (const OwnedEntry& entry : entries) {
    const SequenceNumber sequence = TrailerSequence(entry.trailer);
    const auto found = FindInTable(**reader, table->order(), entry.key, sequence);
    ASSERT_TRUE(RightOrDamaged(found.status()));
    if (!found.ok()) {
      ++*errors;
    } else if (answers == Answers::kExact) {
      ASSERT_EQ(*found, FindInEntries(entries, table->order(), entry.key, sequence));
    }
  }
  for (const size_t readahead : {size_t{0}, size_t{1000}}) {
    const auto iterator = (*reader)->NewIterator({.readahead_bytes = readahead});
    size_t index = 0;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++index) {
      if (answers == Answers::kExact) {
        ASSERT_TRUE(StandsAt(*iterator, entries, index));
      }
    }
    ASSERT_TRUE(RightOrDamaged(iterator->status()));
    if (!iterator->status().ok()) {
      ++*errors;
    } else if (answers == Answers::kExact) {
      ASSERT_EQ(index, entries.size());
    }
    for (iterator->SeekToLast(); iterator->Valid();) iterator->Prev();
    ASSERT_TRUE(RightOrDamaged(iterator->status()));
  }
}

TEST(TableDamage, EveryFlippedByteIsCaughtOrHarmless) {
  for (const Compression compression : {Compression::kNone, Compression::kZstd}) {
    TestTable table;
    WriteSmall(&table, compression);
    const std::vector<OwnedEntry> entries = SmallEntries(table.order());
    const std::string good = table.Bytes();
    int caught = 0;
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (i % 3 == 0 ? 0xff : 1 << (i % 8)));
      table.Overwrite(bad);
      int errors = 0;
      ReadAll(&table, entries, Answers::kExact, &errors);
      if (HasFatalFailure()) FAIL() << "byte " << i << " of " << good.size();
      caught += errors > 0 ? 1 : 0;
      auto reader = table.Open();
      if (!reader.ok()) continue;
      // Bytes between blocks change no result; only the digest covers them.
      const absl::Status verified = (*reader)->Verify(table.summary().digest);
      ASSERT_TRUE(absl::IsDataLoss(verified)) << "byte " << i << ": " << verified;
      ASSERT_TRUE(RightOrDamaged(verified));
    }
    EXPECT_GT(caught, static_cast<int>(good.size() * 9 / 10));
  }
}

TEST(TableDamage, EveryTruncationIsCaught) {
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  const std::string good = table.Bytes();
  for (size_t size = 0; size < good.size(); ++size) {
    table.Overwrite(good.substr(0, size));
    // The test's reader is opened with the actual size of the file.
    const auto reader = table.Open();
    ASSERT_TRUE(absl::IsDataLoss(reader.status())) << size << ": " << reader.status();
    ASSERT_TRUE(RightOrDamaged(reader.status()));
  }
}

TEST(TableDamage, AFileOfAnotherSizeIsRefused) {
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  TableReaderOptions options;
  options.cache = &table.cache();
  options.number = kTestNumber;
  options.path = kTestPath;
  options.file_size = table.summary().file_size + 1;
  const auto reader =
      TableReader::Open(options, table.file_system().OpenRandomAccess(kTestPath).value());
  EXPECT_TRUE(absl::IsDataLoss(reader.status())) << reader.status();
}

TEST(TableDamage, AFileOfAnotherNumberIsRefused) {
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  table.options().number = FileNumber{8};
  const auto reader = table.Open();
  ASSERT_TRUE(absl::IsDataLoss(reader.status()));
  EXPECT_THAT(std::string(reader.status().message()), HasSubstr("found file number 7, expected 8"));
}

TEST(TableDamage, AnotherOrderIsRefused) {
  static const ReverseOrder kReverse;
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  table.options().order = KeyOrder(&kReverse);
  EXPECT_TRUE(absl::IsInvalidArgument(table.Open().status())) << table.Open().status();
}

TEST(TableDamage, SwappedBlocksAreCaughtWithTheKeysThatTheyHide) {
  TestTable table;
  table.options().block_size = 400;
  std::vector<OwnedEntry> entries;
  for (int i = 100; i < 200; ++i) {
    entries.push_back({"key" + std::to_string(i), MakeTrailer(3, Kind::kValue), "value"});
  }
  ASSERT_TRUE(table.Write(entries).ok());
  size_t second = 0;
  {
    auto reader = table.Open();
    ASSERT_TRUE(reader.ok()) << reader.status();
    for (const OwnedEntry& entry : entries) {
      second = (*reader)->ApproximateOffsetOf(entry.key);
      if (second > 0) break;
    }
  }
  ASSERT_GT(second, 0u);
  std::string bytes = table.Bytes();
  std::swap_ranges(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(second),
                   bytes.begin() + static_cast<std::ptrdiff_t>(second));
  table.Overwrite(bytes);
  auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto found = FindInTable(**reader, table.order(), "key100", 9);
  ASSERT_TRUE(absl::IsDataLoss(found.status()));
  const std::string message(found.status().message());
  EXPECT_THAT(message, HasSubstr("data block of /000007.sst at offset 0: checksum found 0x"));
  EXPECT_THAT(message, HasSubstr("it holds keys to \"key1"));
  // The rest goes on.
  EXPECT_EQ(FindInTable(**reader, table.order(), "key199", 9)->value, "value");
}

// Blocks of a table, found as a reader finds them.
struct FoundBlock {
  BlockHandle handle;
  BlockKind kind;
};
std::vector<FoundBlock> FindBlocks(TestTable* table) {
  const std::string bytes = table->Bytes();
  TableReaderOptions options;
  options.cache = &table->cache();
  options.number = kTestNumber;
  options.path = kTestPath;
  options.file_size = bytes.size();
  const TableFile file(options, table->file_system().OpenRandomAccess(kTestPath).value());
  const Footer footer =
      Footer::Decode(std::string_view(bytes).substr(file.footer_offset()), file.footer_offset())
          .value();
  std::vector<FoundBlock> blocks = {{footer.top_index, BlockKind::kTopIndex},
                                    {footer.properties, BlockKind::kProperties}};
  const FrameLease top_bytes = file.ReadBlock(footer.top_index, BlockKind::kTopIndex).value();
  const TopIndex top = TopIndex::Parse(top_bytes->bytes(), table->order()).value();
  for (size_t i = 0; i < top.partition_count(); ++i) {
    const Partition& partition = top.partition(i);
    blocks.push_back({partition.index, BlockKind::kIndex});
    if (partition.filter.size != 0) blocks.push_back({partition.filter, BlockKind::kFilter});
    const FrameLease index = file.ReadBlock(partition.index, BlockKind::kIndex).value();
    for (size_t j = 0; j < index->index().count(); ++j) {
      blocks.push_back({index->index().handle(j), BlockKind::kData});
    }
  }
  return blocks;
}

// Replaces a block's trailer by one with a right checksum.
void Seal(const BlockTrailer& trailer, const BlockHandle& handle, std::string* file) {
  std::string sealed = file->substr(handle.offset, handle.size);
  AppendTrailer(trailer, kTestNumber, handle.offset, 0, &sealed);
  file->replace(handle.offset, sealed.size(), sealed);
}

TEST(TableDamage, HostileBytesUnderRightChecksumsAreSafe) {
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  const std::vector<OwnedEntry> entries = SmallEntries(table.order());
  const std::string good = table.Bytes();
  int caught = 0;
  for (const FoundBlock& block : FindBlocks(&table)) {
    for (size_t i = 0; i < block.handle.size; ++i) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string bad = good;
        char& byte = bad[block.handle.offset + i];
        byte = static_cast<char>(byte ^ flip);
        Seal({.kind = block.kind, .raw_size = block.handle.size}, block.handle, &bad);
        table.Overwrite(bad);
        auto opened = table.Open();
        if (opened.status().code() == absl::StatusCode::kInvalidArgument) continue;  // its name
        opened = absl::UnknownError("");
        int errors = 0;
        ReadAll(&table, entries, Answers::kSafe, &errors);
        if (HasFatalFailure()) {
          FAIL() << BlockKindName(block.kind) << ", byte " << i << " ^ " << flip;
        }
        auto reader = table.Open();
        if (reader.ok()) (*reader)->ApproximateOffsetOf("5");
        if (!reader.ok() || !(*reader)->Verify({}).ok()) ++caught;
      }
    }
  }
  EXPECT_GT(caught, 1000);
}

TEST(TableDamage, ABlockThatPromisesTooMuchIsNotExpanded) {
  TestTable table;
  WriteSmall(&table, Compression::kZstd);
  std::string bytes = table.Bytes();
  for (const FoundBlock& block : FindBlocks(&table)) {
    if (block.kind != BlockKind::kData) continue;
    Seal({.codec = Compression::kZstd, .raw_size = 0xffff'ffff}, block.handle, &bytes);
  }
  table.Overwrite(bytes);
  auto reader = table.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto found = FindInTable(**reader, table.order(), (*reader)->properties().largest_key, 9);
  ASSERT_TRUE(absl::IsDataLoss(found.status()));
  EXPECT_THAT(std::string(found.status().message()), HasSubstr("raw size found 4294967295"));
}

TEST(TableDamage, ABlockInAnUnknownCodecIsUnimplemented) {
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  std::string bytes = table.Bytes();
  const FoundBlock properties = FindBlocks(&table)[1];
  Seal({.codec = static_cast<Compression>(9),
        .kind = BlockKind::kProperties,
        .raw_size = properties.handle.size},
       properties.handle, &bytes);
  table.Overwrite(bytes);
  EXPECT_TRUE(absl::IsUnimplemented(table.Open().status())) << table.Open().status();
}

TEST(TableDamage, FeaturesOfALaterReleaseAreUnimplementedOrIgnored) {
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  std::string bytes = table.Bytes();
  const uint64_t offset = bytes.size() - kFooterSize;
  Footer footer = Footer::Decode(bytes.substr(offset), offset).value();
  footer.may_ignore = 1 << 5;
  bytes.replace(offset, kFooterSize, footer.Encode(offset));
  table.Overwrite(bytes);
  EXPECT_TRUE(table.Open().ok()) << table.Open().status();

  footer.must_understand = 1 << 5;
  bytes.replace(offset, kFooterSize, footer.Encode(offset));
  table.Overwrite(bytes);
  const auto reader = table.Open();
  ASSERT_TRUE(absl::IsUnimplemented(reader.status()));
  EXPECT_TRUE(RightOrDamaged(reader.status()));
}

TEST(TableDamage, ReadsThatFailKeepTheirCodeAndAreTriedAgain) {
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  const std::vector<OwnedEntry> entries = SmallEntries(table.order());
  // Not the test's own: the fault file system shares it.
  const std::shared_ptr<FileSystem> base(&table.file_system(), [](FileSystem*) {});
  env::FaultFileSystem faults(base);
  auto reader = table.Open(&faults);
  ASSERT_TRUE(reader.ok()) << reader.status();
  int failed = 0;
  for (uint64_t call = 1; call < 200; ++call) {
    table.cache().SetCapacity(0);
    table.cache().SetCapacity(size_t{1} << 20);
    faults.ClearRules();
    faults.AddRule({.kind = env::OperationKind::kRead, .first_call = call});
    const uint64_t before = faults.fired();
    for (const OwnedEntry& entry : entries) {
      const auto found = FindInTable(**reader, table.order(), entry.key, kMaxSequenceNumber);
      if (found.ok()) {
        ASSERT_EQ(*found, FindInEntries(entries, table.order(), entry.key, kMaxSequenceNumber));
        continue;
      }
      ++failed;
      ASSERT_TRUE(absl::IsUnavailable(found.status())) << found.status();
      // The next try is a new read.
      const auto again = FindInTable(**reader, table.order(), entry.key, kMaxSequenceNumber);
      ASSERT_TRUE(again.ok()) << again.status();
    }
    if (faults.fired() == before) break;
  }
  EXPECT_GT(failed, 5);
}

TEST(TableDamage, ShortReadsAreDataLoss) {
  TestTable table;
  WriteSmall(&table, Compression::kNone);
  const std::shared_ptr<FileSystem> base(&table.file_system(), [](FileSystem*) {});
  env::FaultFileSystem faults(base);
  faults.AddRule(
      {.kind = env::OperationKind::kRead, .calls = env::kForever, .effect = env::Effect::kShort});
  const auto reader = table.Open(&faults);
  ASSERT_TRUE(absl::IsDataLoss(reader.status())) << reader.status();
  EXPECT_TRUE(RightOrDamaged(reader.status()));
}

TEST(TableDamage, ABuilderStopsAtTheFirstErrorOfItsFile) {
  for (const env::OperationKind kind :
       {env::OperationKind::kAppend, env::OperationKind::kSync, env::OperationKind::kClose}) {
    env::FaultFileSystem faults(std::make_shared<env::MemFileSystem>());
    faults.AddRule({.kind = kind});
    TableBuilderOptions options;
    options.path = kTestPath;
    TableBuilder builder(options, faults.CreateWritable(kTestPath).value());
    ASSERT_TRUE(builder.Add("a", MakeTrailer(1, Kind::kValue), "").ok());
    EXPECT_TRUE(absl::IsUnavailable(builder.Finish().status()));
    EXPECT_TRUE(absl::IsUnavailable(builder.Finish().status()));
    EXPECT_TRUE(absl::IsUnavailable(builder.Add("b", MakeTrailer(1, Kind::kValue), "")));
    EXPECT_LE(faults.Calls(env::OperationKind::kAppend), 1u);
    EXPECT_LE(faults.Calls(env::OperationKind::kSync), 1u);
  }
}

}  // namespace
}  // namespace cambium::sstable
