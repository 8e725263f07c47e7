#include "cambium/write_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/batch_codec.h"

namespace cambium {
namespace {

using std::string_literals::operator""s;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "put k=v", one operation after the other, and the status at the end where it is not ok.
std::vector<std::string> Describe(std::string_view encoded) {
  std::vector<std::string> lines;
  BatchReader reader(encoded);
  BatchOp op;
  while (reader.Next(&op)) {
    std::string line = op.tag == BatchOpTag::kPut     ? "put "
                       : op.tag == BatchOpTag::kMerge ? "merge "
                                                      : "delete ";
    if (op.column_family != 0) line += "cf" + std::to_string(op.column_family) + " ";
    line += op.key;
    if (HasValue(op.tag)) line.append("=").append(op.value);
    lines.push_back(line);
  }
  if (!reader.status().ok()) lines.emplace_back(absl::StatusCodeToString(reader.status().code()));
  return lines;
}

std::string Bytes(std::string_view text) { return std::string(text); }

TEST(WriteBatch, HoldsOperationsInOrder) {
  WriteBatch batch;
  EXPECT_EQ(batch.Count(), 0u);
  EXPECT_THAT(Describe(batch.Encoded()), IsEmpty());
  batch.Put("a", "1");
  batch.Delete("b");
  batch.Put("", "");
  EXPECT_EQ(batch.Count(), 3u);
  EXPECT_EQ(batch.ByteSize(), batch.Encoded().size());
  EXPECT_THAT(Describe(batch.Encoded()), ElementsAre("put a=1", "delete b", "put ="));
  batch.Clear();
  EXPECT_EQ(batch.Count(), 0u);
  EXPECT_EQ(batch.ByteSize(), kBatchHeaderSize);
}

// These bytes are version 1: a change here is a change of the format.
TEST(WriteBatch, BytesAreThoseOfVersionOne) {
  WriteBatch batch;
  batch.Put("key", "value");
  batch.Delete("gone");

  EXPECT_EQ(batch.Encoded(), "\x02\0\0\0\x01\x03key\x05value\x02\x04gone"s);
}

TEST(WriteBatch, AppendsAnotherAndItself) {
  WriteBatch one;
  one.Put("a", "1");
  WriteBatch two;
  two.Delete("b");
  one.Append(two);
  EXPECT_THAT(Describe(one.Encoded()), ElementsAre("put a=1", "delete b"));
  one.Append(one);
  EXPECT_EQ(one.Count(), 4u);
  EXPECT_THAT(Describe(one.Encoded()), ElementsAre("put a=1", "delete b", "put a=1", "delete b"));
  one.Append(WriteBatch());
  EXPECT_EQ(one.Count(), 4u);
}

TEST(WriteBatch, MovedFromBatchIsEmptyAndUsable) {
  WriteBatch one;
  one.Put("a", std::string(100, 'x'));
  const WriteBatch two = std::move(one);
  EXPECT_EQ(two.Count(), 1u);
  one.Clear();  // NOLINT(bugprone-use-after-move): what is tested
  one.Put("b", "2");
  EXPECT_THAT(Describe(one.Encoded()), ElementsAre("put b=2"));
  WriteBatch three = std::move(one);
  EXPECT_EQ(one.Count(), 0u);  // NOLINT(bugprone-use-after-move)
  one.Delete("c");
  one.Append(three);
  EXPECT_THAT(Describe(one.Encoded()), ElementsAre("delete c", "put b=2"));
}

TEST(WriteBatch, RemembersWhatExceedsTheLimits) {
  WriteBatch batch;
  batch.Put(std::string(kMaxKeySize, 'k'), "v");
  EXPECT_TRUE(batch.WithinLimits());
  batch.Put(std::string(kMaxKeySize + 1, 'k'), "v");
  EXPECT_FALSE(batch.WithinLimits());
  WriteBatch other;
  other.Append(batch);
  EXPECT_FALSE(other.WithinLimits());
  batch.Clear();
  EXPECT_TRUE(batch.WithinLimits());
  batch.Delete(std::string(kMaxKeySize + 1, 'k'));
  EXPECT_FALSE(batch.WithinLimits());
}

TEST(SingleOp, PiecesAreTheBytesOfABatchOfOne) {
  for (const size_t size : {0, 1, 127, 128, 20000, 65536}) {
    const std::string key(size, 'k');
    const std::string value(size * 3, 'v');
    WriteBatch batch;
    batch.Put(key, value);
    const SingleOp put(BatchOpTag::kPut, key, value);
    std::string joined;
    for (const std::string_view piece : put.pieces()) joined += piece;
    EXPECT_EQ(joined, batch.Encoded());
    EXPECT_EQ(put.ByteSize(), joined.size());
    EXPECT_EQ(put.key(), key);
    EXPECT_EQ(put.value(), value);

    batch.Clear();
    batch.Delete(key);
    const SingleOp remove(BatchOpTag::kDelete, key, "not looked at");
    joined.clear();
    for (const std::string_view piece : remove.pieces()) joined += piece;
    EXPECT_EQ(joined, batch.Encoded());
    EXPECT_EQ(remove.ByteSize(), joined.size());
    EXPECT_EQ(remove.value(), "");
  }
}

TEST(BatchReader, ReadsColumnFamilies) {
  EXPECT_THAT(Describe("\x02\0\0\0\x81\x07\x01k\x01v\x82\xac\x02\x01k"s),
              ElementsAre("put cf7 k=v", "delete cf300 k"));
}

TEST(BatchReader, AnswersDataLossWhereTheBytesAreNoBatch) {
  const std::vector<std::string> bad = {
      "",
      "\x01\0\0"s,    // no count
      "\x01\0\0\0"s,  // fewer than counted
      "\0\0\0\0x"s,
      "\x01\0\0\0\x02\x01kx"s,      // more
      "\x01\0\0\0\x01\x02k"s,       // key cut short
      "\x01\0\0\0\x01\x01k\x05v"s,  // value cut short
      "\x01\0\0\0\x00\x01k"s,
      "\x01\0\0\0\x63\x01k"s,                                         // no such tag
      "\x01\0\0\0\x01\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"s,  // length of 11 bytes
      "\x01\0\0\0\x02\x81\x00k"s,                                     // a longer form than needed
      "\xff\xff\xff\xff"s,
  };
  for (const std::string& bytes : bad) {
    const std::vector<std::string> lines = Describe(bytes);
    ASSERT_FALSE(lines.empty()) << testing::PrintToString(bytes);
    EXPECT_EQ(lines.back(), "DATA_LOSS") << testing::PrintToString(bytes);
  }
}

// "family: count of operations", with "merges" if there are any.
std::vector<std::string> PartsOf(const WriteBatch& batch) {
  std::vector<std::string> parts;
  for (const WriteBatch::Part& part : batch.Parts()) {
    parts.push_back(std::to_string(part.family) + ": " + std::to_string(part.count) +
                    (part.has_merges ? " merges" : ""));
  }
  return parts;
}

TEST(WriteBatch, CountsTheOperationsOfEachFamily) {
  const ColumnFamily users("users", 7, 99, nullptr), orders("orders", 300, 99, nullptr);
  WriteBatch batch;
  EXPECT_THAT(PartsOf(batch), IsEmpty());
  batch.Put(orders, "a", "1");
  batch.Put("b", "2");
  batch.Merge(users, "c", "3");
  batch.Delete(orders, "d");
  EXPECT_THAT(PartsOf(batch), ElementsAre("0: 1", "7: 1 merges", "300: 2"));
  EXPECT_EQ(batch.Database(), 99u);
  EXPECT_THAT(Describe(batch.Encoded()),
              ElementsAre("put cf300 a=1", "put b=2", "merge cf7 c=3", "delete cf300 d"));
  size_t bytes = kBatchHeaderSize;
  for (const WriteBatch::Part& part : batch.Parts()) bytes += part.bytes;
  EXPECT_EQ(bytes, batch.ByteSize());

  WriteBatch other;
  other.Merge("e", "4");
  other.Append(batch);
  EXPECT_THAT(PartsOf(other), ElementsAre("0: 2 merges", "7: 1 merges", "300: 2"));
  EXPECT_EQ(other.Database(), 99u);
  other.Append(other);
  EXPECT_THAT(PartsOf(other), ElementsAre("0: 4 merges", "7: 2 merges", "300: 4"));
  other.Put(ColumnFamily("foreign", 7, 98, nullptr), "f", "5");
  EXPECT_EQ(other.Database(), UINT64_MAX);

  WriteBatch moved = std::move(batch);
  EXPECT_EQ(moved.Count(), 4u);
  batch.Put("g", "6");
  EXPECT_THAT(PartsOf(batch), ElementsAre("0: 1"));
  EXPECT_EQ(batch.Database(), 0u);
  moved.Clear();
  EXPECT_THAT(PartsOf(moved), IsEmpty());
  EXPECT_EQ(moved.Database(), 0u);
}

TEST(BatchReader, AnswersUnimplementedForReservedTags) {
  for (const char tag : {3, 7, 32, 33, 34}) {
    std::string bytes("\x01\0\0\0", 4);
    bytes += tag;
    bytes += "\x01k\x01v";
    EXPECT_THAT(Describe(bytes), ElementsAre("UNIMPLEMENTED")) << int{tag};
  }
}

TEST(WriteBatch, HoldsTtlsInThePlaceOfExpiries) {
  WriteBatch batch;
  batch.Put("k", "v", std::chrono::milliseconds(0x0201));
  batch.Put("k", "v");
  EXPECT_EQ(batch.Encoded(), "\x02\0\0\0\x06\x01k\x09\x01\x02\0\0\0\0\0\0v\x01\x01k\x01v"s);
  EXPECT_TRUE(batch.HasTtls());
  EXPECT_FALSE(batch.HasNegativeTtl());
  batch.Clear();
  EXPECT_FALSE(batch.HasTtls());
  WriteBatch negative;
  negative.Put("k", "v", std::chrono::milliseconds(-1));
  batch.Append(negative);
  EXPECT_TRUE(batch.HasTtls());
  EXPECT_TRUE(batch.HasNegativeTtl());
}

TEST(WriteBatch, RollbackForgetsTtls) {
  WriteBatch batch;
  batch.Put("k", "v");
  WriteBatch::Savepoint plain = batch.MakeSavepoint();
  batch.Put("k", "v", std::chrono::milliseconds(1));
  WriteBatch::Savepoint with_ttl = batch.MakeSavepoint();
  batch.Put("k", "v", std::chrono::milliseconds(-1));
  batch.RollbackTo(std::move(with_ttl));
  EXPECT_TRUE(batch.HasTtls());
  EXPECT_FALSE(batch.HasNegativeTtl());
  batch.RollbackTo(std::move(plain));
  EXPECT_FALSE(batch.HasTtls());
}

// The bytes of the log: docs/format/log.md.
TEST(SingleOp, PutsTheExpiryBeforeTheValue) {
  const SingleOp op(BatchOpTag::kPutWithExpiry, "k", "v", 0, 0x0201);
  std::string bytes;
  for (const std::string_view piece : op.pieces()) bytes.append(piece);
  EXPECT_EQ(bytes, "\x01\0\0\0\x06\x01k\x09\x01\x02\0\0\0\0\0\0v"s);
  EXPECT_EQ(op.value_head(), "\x01\x02\0\0\0\0\0\0"s);
}

TEST(BatchReader, PutWithExpiryWithoutItsExpiryIsDataLoss) {
  EXPECT_THAT(Describe("\x01\0\0\0\x06\x01k\x07\x01\x02\0\0\0\0\0"s), ElementsAre("DATA_LOSS"));
}

TEST(BatchReader, ReadsRangeDeletes) {
  WriteBatch batch;
  batch.DeleteRange("a", "b");
  batch.DeleteFrom("");
  EXPECT_EQ(batch.Parts()[0].range_deletes, 2u);
  const std::string bytes = Bytes(batch.Encoded());
  EXPECT_EQ(bytes, std::string("\x02\0\0\0\x05\x01"
                               "a\x02\0"
                               "b\x05\0\x01\x02",
                               14));
  BatchReader reader(bytes);
  BatchOp op;
  ASSERT_TRUE(reader.Next(&op));
  RangeTombstone range = RangeOf(op, 7);
  EXPECT_EQ(range.sequence, 7u);
  EXPECT_EQ(range.begin.key, "a");
  EXPECT_EQ(range.end.key, "b");
  EXPECT_EQ(range.end.place, KeyCut::Place::kBefore);
  ASSERT_TRUE(reader.Next(&op));
  range = RangeOf(op, 8);
  EXPECT_EQ(range.begin.place, KeyCut::Place::kBefore);
  EXPECT_EQ(range.end.place, KeyCut::Place::kEnd);
  const std::string all = EncodeRangeEnd(KeyCut::Start(), KeyCut::End());
  range = RangeOf({BatchOpTag::kRangeDelete, 0, "", all}, 9);
  EXPECT_EQ(range.begin.place, KeyCut::Place::kStart);
  batch.DeleteRange("a", std::string(kMaxKeySize + 1, 'k'));
  EXPECT_FALSE(batch.WithinLimits());
}

TEST(BatchReader, MalformedRangeDeletesAreDataLoss) {
  const std::string head("\x01\0\0\0\x05", 5);
  for (const std::string& operation : {std::string("\x01"
                                                   "a\0",
                                                   3),  // no flags
                                       std::string("\x01"
                                                   "a\x02\x04"
                                                   "b",
                                                   5),  // an unknown flag
                                       std::string("\x01"
                                                   "a\x02\x02"
                                                   "b",
                                                   5),  // an end, and none
                                       std::string("\x01"
                                                   "a\x02\x01"
                                                   "b",
                                                   5)}) {  // a begin, and none
    EXPECT_THAT(Describe(head + operation), ElementsAre("DATA_LOSS"));
  }
}

TEST(BatchReader, KeyOverTheLimitIsDataLoss) {
  std::string bytes("\x01\0\0\0\x02", 5);
  AppendLengthPrefixed(&bytes, std::string(kMaxKeySize + 1, 'k'));
  EXPECT_THAT(Describe(bytes), ElementsAre("DATA_LOSS"));
}

TEST(BatchReader, EveryPrefixAndFlipGivesAnAnswer) {
  WriteBatch batch;
  for (int i = 0; i < 20; ++i) {
    batch.Put("key" + std::to_string(i), std::string(static_cast<size_t>(i) * 3, 'v'));
    batch.Delete(std::to_string(i));
  }
  const std::string good = Bytes(batch.Encoded());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(Describe(good.substr(0, size)).back(), "DATA_LOSS") << size;
  }
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    (void)Describe(bytes);
  }
}

}  // namespace
}  // namespace cambium
