// The block of range tombstones: alone, and in a table.
#include "sstable/table/range_delete_block.h"

#include "absl/strings/str_cat.h"
#include "tests/sstable/table_support.h"

namespace cambium::sstable {
namespace {

const KeyOrder kOrder(BytewiseComparator());

std::string Text(const TombstoneIndex& index) {
  std::string text;
  for (const RangeTombstone& one : index.tombstones()) {
    absl::StrAppend(&text, text.empty() ? "" : " ", std::string(one.begin.key),
                    one.begin.place == KeyCut::Place::kAfter ? "+" : "", "..",
                    std::string(one.end.key), one.end.place == KeyCut::Place::kAfter ? "+" : "",
                    "@", one.sequence);
  }
  return text;
}

std::vector<TombstoneFragment> Fragments() {
  return {{KeyCut::Before(""), KeyCut::Before("b"), {kMaxSequenceNumber, 7, 1}},
          {KeyCut::Before("b"), KeyCut::After("c"), {9}},
          {KeyCut::After("c"), KeyCut::Before("d"), {8, 2}},
          {KeyCut::After("x"), KeyCut::After("z"), {3}}};
}

TEST(RangeDeleteBlock, DecodesWhatWasEncoded) {
  const std::string bytes = EncodeRangeDeletes(kOrder, Fragments());
  const auto index = DecodeRangeDeletes(kOrder, bytes);
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(Text(**index),
            absl::StrCat("..b@1 c+..d@2 x+..z+@3 ..b@7 c+..d@8 b..c+@9 ..b@", kMaxSequenceNumber));
}

TEST(RangeDeleteBlock, DecodesTheExampleOfTheFormat) {
  const std::string bytes(
      "\x02\0\0\0"
      "\0"
      "\x01"
      "a"
      "\x01"
      "m"
      "\x02"
      "\x1e"
      "\x14"
      "\x06"
      "\x01"
      "q"
      "\x01"
      "\x05",
      17);
  const auto index = DecodeRangeDeletes(kOrder, bytes);
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(Text(**index), "m..q+@5 a..m@10 a..m@30");
}

TEST(RangeDeleteBlock, RejectsBytesThatAreNotFragments) {
  const std::string bytes = EncodeRangeDeletes(kOrder, Fragments());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeRangeDeletes(kOrder, bytes.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_FALSE(DecodeRangeDeletes(kOrder, bytes + '\0').ok());
}

const std::pair<const char*, std::string> kWrong[] = {
    {"an unknown flag", std::string("\x08"
                                    "\x01"
                                    "a"
                                    "\x01"
                                    "m"
                                    "\x01"
                                    "\x05",
                                    7)},
    {"nothing to continue", std::string("\x04"
                                        "\x01"
                                        "m"
                                        "\x01"
                                        "\x05",
                                        5)},
    {"an empty range", std::string("\0"
                                   "\x01"
                                   "m"
                                   "\x01"
                                   "m"
                                   "\x01"
                                   "\x05",
                                   7)},
    {"descending ends", std::string("\0"
                                    "\x01"
                                    "m"
                                    "\x01"
                                    "a"
                                    "\x01"
                                    "\x05",
                                    7)},
    {"no sequence number", std::string("\0"
                                       "\x01"
                                       "a"
                                       "\x01"
                                       "m"
                                       "\0",
                                       6)},
    {"sequence number 0", std::string("\0"
                                      "\x01"
                                      "a"
                                      "\x01"
                                      "m"
                                      "\x01"
                                      "\0",
                                      7)},
    {"a sequence number twice", std::string("\0"
                                            "\x01"
                                            "a"
                                            "\x01"
                                            "m"
                                            "\x02"
                                            "\x05"
                                            "\0",
                                            8)},
    {"a difference as large as the number", std::string("\0"
                                                        "\x01"
                                                        "a"
                                                        "\x01"
                                                        "m"
                                                        "\x02"
                                                        "\x05"
                                                        "\x05",
                                                        8)},
};

TEST(RangeDeleteBlock, RejectsFragmentsThatAreNone) {
  const std::string one("\x01\0\0\0", 4);
  for (const auto& [what, fragment] : kWrong) {
    EXPECT_EQ(DecodeRangeDeletes(kOrder, one + fragment).status().code(),
              absl::StatusCode::kDataLoss)
        << what;
  }
}

// Any change of a byte is an error or another valid block, never a crash.
TEST(RangeDeleteBlock, SurvivesChangedBytes) {
  const std::string bytes = EncodeRangeDeletes(kOrder, Fragments());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int change = 1; change < 256; ++change) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ change);
      const auto index = DecodeRangeDeletes(kOrder, changed);
      if (index.ok()) {
        EXPECT_FALSE((*index)->tombstones().empty());
      }
    }
  }
}

class TableWithRangeDeletes : public testing::Test {
 protected:
  void Write(const std::vector<OwnedEntry>& entries,
             const std::vector<TombstoneFragment>& fragments) {
    auto file = table_.file_system().CreateWritable(kTestPath);
    ASSERT_TRUE(file.ok());
    TableBuilder builder(table_.options(), std::move(*file));
    for (const OwnedEntry& entry : entries) {
      ASSERT_TRUE(builder.Add(entry.key, entry.trailer, entry.value).ok());
    }
    ASSERT_TRUE(builder.SetRangeDeletes(fragments).ok());
    auto summary = builder.Finish();
    ASSERT_TRUE(summary.ok()) << summary.status();
    summary_ = *summary;
  }
  static OwnedEntry Put(const char* key, SequenceNumber sequence) {
    return {key, MakeTrailer(sequence, Kind::kValue), "value"};
  }
  static KeyFold::State Get(const TableReader& reader, const char* key,
                            SequenceNumber sequence = kMaxSequenceNumber) {
    KeyFold fold(sequence);
    PinnedValue value;
    EXPECT_TRUE(reader.Get(LookupKey(key, sequence, kOrder), {}, &fold, &value).ok());
    fold.EndSource();
    return fold.state();
  }

  TestTable table_;
  TableSummary summary_;
};

TEST_F(TableWithRangeDeletes, PointReadsStopAtThem) {
  Write({Put("a", 5), Put("b", 5), Put("c", 20), Put("n", 1)},
        {{KeyCut::Before("b"), KeyCut::Before("m"), {10}}});
  auto reader = table_.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(Get(**reader, "a"), KeyFold::State::kValue);
  EXPECT_EQ(Get(**reader, "b"), KeyFold::State::kDeleted);
  EXPECT_EQ(Get(**reader, "b", 9), KeyFold::State::kValue);
  EXPECT_EQ(Get(**reader, "c"), KeyFold::State::kValue);
  EXPECT_EQ(Get(**reader, "d"), KeyFold::State::kDeleted) << "hides older tables";
  EXPECT_EQ(Get(**reader, "n"), KeyFold::State::kValue);
  EXPECT_EQ(Get(**reader, "o"), KeyFold::State::kMore);
  EXPECT_TRUE((*reader)->Verify(summary_.digest).ok());
}

TEST_F(TableWithRangeDeletes, MayHaveNoEntries) {
  Write({}, {{KeyCut::Before("b"), KeyCut::Before("m"), {10}}});
  auto reader = table_.Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(Get(**reader, "b"), KeyFold::State::kDeleted);
  EXPECT_EQ(Get(**reader, "m"), KeyFold::State::kMore);
  const LookupKey lookup("c", kMaxSequenceNumber, kOrder);
  KeyFold fold(kMaxSequenceNumber);
  PinnedValue value;
  std::vector<LookupRequest> requests(1);
  requests[0].key = &lookup;
  requests[0].fold = &fold;
  requests[0].value = &value;
  (*reader)->MultiGet(requests, {});
  EXPECT_TRUE(requests[0].status.ok());
  EXPECT_TRUE(fold.EndSource());
  const auto it = (*reader)->NewIterator({});
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  it->SeekToLast();
  EXPECT_FALSE(it->Valid());
  it->Seek("c", 0);
  EXPECT_FALSE(it->Valid());
  EXPECT_TRUE(it->status().ok());
  EXPECT_EQ((*reader)->ApproximateOffsetOf("c"), 0u);
  EXPECT_TRUE((*reader)->Verify(summary_.digest).ok());
}

TEST_F(TableWithRangeDeletes, CountsTheirMemory) {
  const auto table_memory = [&] { return table_.cache().Stats().table_memory; };
  Write({Put("a", 5)}, Fragments());
  const size_t before = table_memory();
  {
    auto reader = table_.Open();
    ASSERT_TRUE(reader.ok());
    EXPECT_GE(table_memory(), before + (*reader)->range_deletes()->MemoryUsage());
  }
  EXPECT_EQ(table_memory(), before);
}

// A changed byte of the block is found when the table is opened.
TEST_F(TableWithRangeDeletes, DamageNamesFileAndOffset) {
  Write({Put("a", 5)}, {{KeyCut::Before("bbbb"), KeyCut::Before("mmmm"), {10}}});
  const std::string bytes = table_.Bytes();
  const size_t at = bytes.find("bbbb");
  ASSERT_NE(at, std::string::npos);
  std::string damaged = bytes;
  damaged[at] = 'a';
  table_.Overwrite(damaged);
  const absl::Status status = table_.Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(testing::HasSubstr("range deletes"), testing::HasSubstr(kTestPath),
                             testing::HasSubstr("at offset")));
}

TEST_F(TableWithRangeDeletes, VerifyReadsTheBlockAgain) {
  Write({Put("a", 5)}, {{KeyCut::Before("bbbb"), KeyCut::Before("mmmm"), {10}}});
  auto reader = table_.Open();
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE((*reader)->Verify(std::nullopt).ok());
}

}  // namespace
}  // namespace cambium::sstable
