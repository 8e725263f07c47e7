// Golden tables: files of format version 1 that every later release must read.
//
// golden/table_v1.sst        stored raw, with filters, several partitions
// golden/table_v1_zstd.sst   compressed, without filters
//
// Made by running this test with CAMBIUM_WRITE_GOLDEN=1 in the environment. That is done once a
// format version: a golden file that exists is never made again.
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "env/posix_file_system.h"
#include "tests/sstable/table_support.h"

namespace cambium::sstable {
namespace {

// Written out, not drawn: these must be the same for ever.
std::vector<OwnedEntry> GoldenEntries() {
  std::vector<OwnedEntry> entries;
  entries.push_back({"", MakeTrailer(1, Kind::kValue), "the empty key"});
  for (uint64_t i = 0; i < 300; ++i) {
    const std::string key = "key" + std::to_string(1000 + i);
    if (i % 7 == 0) entries.push_back({key, MakeTrailer(2000 + i, Kind::kDelete), ""});
    entries.push_back({key, MakeTrailer(1000 + i, Kind::kValue), std::string(i % 50, 'v')});
    if (i % 5 == 0) entries.push_back({key, MakeTrailer(i + 1, Kind::kValue), "older"});
  }
  entries.push_back(
      {std::string(1000, 'z'), MakeTrailer(77, Kind::kValue), std::string(5000, 'Z')});
  return entries;
}

struct Golden {
  const char* name;
  Compression compression;
  double filter_bits_per_key;
  uint64_t digest;
};
const Golden kGolden[] = {
    {"table_v1.sst", Compression::kNone, 10, 0x7b23'7680'a159'4e0f},
    {"table_v1_zstd.sst", Compression::kZstd, 0, 0xd6e6'be29'1ad2'1cb0},
};

std::string GoldenPath(const Golden& golden) {
  return absl::StrCat(CAMBIUM_GOLDEN_DIRECTORY, "/", golden.name);
}

void WriteGolden(const Golden& golden) {
  TableBuilderOptions options;
  options.number = kTestNumber;
  options.path = GoldenPath(golden);
  options.compression = golden.compression;
  options.filter_bits_per_key = golden.filter_bits_per_key;
  options.block_size = 64;
  options.level = 3;
  auto file = DefaultFileSystem()->CreateWritable(options.path);
  ASSERT_TRUE(file.ok()) << file.status();
  TableBuilder builder(options, std::move(*file));
  for (const OwnedEntry& entry : GoldenEntries()) {
    ASSERT_TRUE(builder.Add(entry.key, entry.trailer, entry.value).ok());
  }
  const auto summary = builder.Finish();
  ASSERT_TRUE(summary.ok()) << summary.status();
  std::printf("%s: digest 0x%llx\n", golden.name, static_cast<unsigned long long>(summary->digest));
}

TEST(TableGolden, ReadsTablesOfFormatVersion1) {
  const std::vector<OwnedEntry> entries = GoldenEntries();
  const KeyOrder order(BytewiseComparator());
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(golden.name);
    if (std::getenv("CAMBIUM_WRITE_GOLDEN") != nullptr) WriteGolden(golden);
    EpochDomain epochs;
    BlockCache cache(size_t{1} << 20, &epochs);
    TableReaderOptions options;
    options.cache = &cache;
    options.number = kTestNumber;
    options.path = GoldenPath(golden);
    const auto size = DefaultFileSystem()->FileSize(options.path);
    ASSERT_TRUE(size.ok()) << size.status();
    options.file_size = *size;
    auto reader =
        TableReader::Open(options, DefaultFileSystem()->OpenRandomAccess(options.path).value());
    ASSERT_TRUE(reader.ok()) << reader.status();
    CheckIterator((*reader)->NewIterator({}).get(), entries, order, 1);
    CheckReads(**reader, entries, order);
    const absl::Status verified = (*reader)->Verify(golden.digest);
    EXPECT_TRUE(verified.ok()) << verified;

    const TableProperties& properties = (*reader)->properties();
    EXPECT_EQ(properties.entries, entries.size());
    EXPECT_EQ(properties.tombstones, 43u);
    EXPECT_EQ(properties.level, 3u);
    EXPECT_EQ(properties.smallest_sequence, 1u);
    EXPECT_EQ(properties.largest_sequence, 2294u);
    EXPECT_EQ(properties.smallest_key, "");
    EXPECT_EQ(properties.largest_key, std::string(1000, 'z'));
    EXPECT_EQ(properties.comparator_name, "cambium.BytewiseComparator");
    EXPECT_EQ(properties.compression, golden.compression);
    EXPECT_EQ(properties.filter_bits_per_key, golden.filter_bits_per_key);
    EXPECT_GT(properties.partitions, 1u);
  }
}

}  // namespace
}  // namespace cambium::sstable
