#include "sstable/block/index_partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "util/coding.h"

namespace cambium::sstable {
namespace {

class ReverseComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.Reverse"; }
};
const ReverseComparator kReverse;

const KeyOrder kBytewiseOrder(BytewiseComparator());

BlockHandle HandleOf(size_t i) { return {1000 + i * 8200, static_cast<uint32_t>(8000 + i % 200)}; }

// Sorts `separators`.
std::string Build(std::vector<std::string>* separators, const KeyOrder& order) {
  std::stable_sort(separators->begin(), separators->end(),
                   [&](const auto& a, const auto& b) { return order.Less(a, b); });
  IndexBuilder builder;
  for (size_t i = 0; i < separators->size(); ++i) {
    builder.Add((*separators)[i], HandleOf(i), static_cast<uint8_t>(i));
  }
  return builder.Finish();
}

void CheckFind(const IndexView& view, const std::vector<std::string>& separators,
               const std::string& key, const KeyOrder& order) {
  const auto expected =
      std::lower_bound(separators.begin(), separators.end(), key,
                       [&](const auto& a, const auto& b) { return order.Less(a, b); }) -
      separators.begin();
  ASSERT_EQ(view.Find(key), static_cast<size_t>(expected)) << testing::PrintToString(key);
}

void CheckIndex(std::vector<std::string> separators, const KeyOrder& order, uint64_t seed) {
  const std::string bytes = Build(&separators, order);
  const absl::StatusOr<IndexView> parsed = IndexView::Parse(bytes, order);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const IndexView& view = *parsed;
  ASSERT_EQ(view.count(), separators.size());
  for (size_t i = 0; i < separators.size(); ++i) {
    ASSERT_EQ(view.separator(i), separators[i]);
    ASSERT_EQ(view.handle(i), HandleOf(i));
    ASSERT_EQ(view.flags(i), static_cast<uint8_t>(i));
  }
  std::mt19937_64 random(seed);
  for (const char* key : {"", "\x01", "a", "m", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}) {
    ASSERT_NO_FATAL_FAILURE(CheckFind(view, separators, key, order));
  }
  for (size_t i = 0; i < std::min<size_t>(separators.size(), 500); ++i) {
    std::string key = separators[random() % separators.size()];
    ASSERT_NO_FATAL_FAILURE(CheckFind(view, separators, key, order));
    ASSERT_NO_FATAL_FAILURE(CheckFind(view, separators, key + '\0', order));
    ASSERT_NO_FATAL_FAILURE(CheckFind(view, separators, key + '\xff', order));
    if (key.empty()) continue;
    std::string changed = key;
    changed[random() % key.size()] = static_cast<char>(random());
    ASSERT_NO_FATAL_FAILURE(CheckFind(view, separators, changed, order));
    key.resize(random() % key.size());
    ASSERT_NO_FATAL_FAILURE(CheckFind(view, separators, key, order));
  }
}

struct Shape {
  const char* name;
  std::function<std::string(std::mt19937_64&)> key;
};

std::string RandomString(std::mt19937_64& random, size_t size, std::string_view alphabet) {
  std::string out(size, '\0');
  for (char& c : out) {
    c = alphabet.empty() ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
  }
  return out;
}

std::vector<Shape> Shapes() {
  using R = std::mt19937_64;
  return {
      {"digits", [](R& r) { return std::to_string(1'000'000'000 + r() % 900'000'000); }},
      {"random bytes", [](R& r) { return RandomString(r, 16, ""); }},
      {"short", [](R& r) { return RandomString(r, r() % 4, "ab"); }},
      {"zeros", [](R& r) { return std::string(r() % 20, '\0'); }},
      {"largest abbreviated_keys", [](R& r) { return std::string(r() % 20, '\xff'); }},
      {"common prefix", [](R& r) { return "tenant/1/" + RandomString(r, r() % 12, "xyz"); }},
      {"equal abbreviated_keys",
       [](R& r) { return RandomString(r, 1, "ab") + "-------" + RandomString(r, r() % 5, "01"); }},
      {"long", [](R& r) { return RandomString(r, 2'000 + r() % 100, "q"); }},
      {"all equal", [](R&) { return std::string("same"); }},
  };
}

void CheckShapes(const KeyOrder& order) {
  uint64_t seed = 0;
  for (const Shape& shape : Shapes()) {
    // Around every number of levels of a tree of nodes of eight.
    for (const size_t count : {1, 2, 7, 8, 9, 63, 64, 65, 100, 511, 512, 513, 1'000}) {
      SCOPED_TRACE(std::string(shape.name) + ", " + std::to_string(count));
      std::mt19937_64 random(++seed);
      std::vector<std::string> separators;
      for (size_t i = 0; i < count; ++i) separators.push_back(shape.key(random));
      ASSERT_NO_FATAL_FAILURE(CheckIndex(std::move(separators), order, seed));
    }
  }
}

TEST(Index, AgreesWithAVectorInBytewiseOrder) { CheckShapes(kBytewiseOrder); }

TEST(Index, AgreesWithAVectorInAnotherOrder) { CheckShapes(KeyOrder(&kReverse)); }

TEST(Index, FindsTheFirstBlockWhenOneKeySpansSeveral) {
  std::vector<std::string> separators = {"a", "k", "k", "k", "z"};
  const std::string bytes = Build(&separators, kBytewiseOrder);
  const IndexView view = *IndexView::Parse(bytes, kBytewiseOrder);
  EXPECT_EQ(view.Find("k"), 1u);
  EXPECT_EQ(view.Find("kk"), 4u);
  EXPECT_EQ(view.Find("zz"), 5u);
}

TEST(Index, KeepsWorkingWhenMoved) {
  std::vector<std::string> separators;
  for (int i = 0; i < 100; ++i) separators.push_back("key" + std::to_string(100 + i));
  const std::string bytes = Build(&separators, kBytewiseOrder);
  IndexView first = *IndexView::Parse(bytes, kBytewiseOrder);
  const IndexView second = std::move(first);
  EXPECT_EQ(second.Find("key150"), 50u);
  EXPECT_GE(second.MemoryUsage(), 100 * sizeof(uint64_t));
}

TEST(Index, HoldsHandlesBeyondFourGibibytes) {
  IndexBuilder builder;
  builder.Add("a", {uint64_t{1} << 40, 0xffffffff}, 1);
  builder.Add("b", {uint64_t{1} << 50, 1}, 2);
  const std::string bytes = builder.Finish();
  const IndexView view = *IndexView::Parse(bytes, kBytewiseOrder);
  EXPECT_EQ(view.handle(0), (BlockHandle{uint64_t{1} << 40, 0xffffffff}));
  EXPECT_EQ(view.handle(1), (BlockHandle{uint64_t{1} << 50, 1}));
}

TEST(IndexBuilder, StartsAfreshAfterFinish) {
  IndexBuilder builder;
  builder.Add("same-prefix-1", {0, 10}, 0);
  builder.Add("same-prefix-2", {16, 10}, 0);
  EXPECT_EQ(builder.count(), 2u);
  const auto estimate = static_cast<double>(builder.EstimatedSize());
  EXPECT_NEAR(estimate, static_cast<double>(builder.Finish().size()), 16);
  EXPECT_TRUE(builder.empty());
  builder.Add("other", {8, 24}, 9);
  const std::string bytes = builder.Finish();
  const IndexView view = *IndexView::Parse(bytes, kBytewiseOrder);
  EXPECT_EQ(view.count(), 1u);
  EXPECT_EQ(view.separator(0), "other");
  EXPECT_EQ(view.handle(0), (BlockHandle{8, 24}));
}

std::vector<std::string> SmallIndexes() {
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back("key" + std::to_string(100 + i * 7));
  std::vector<std::string> equal_abbreviated;
  for (int i = 0; i < 20; ++i) equal_abbreviated.push_back("a-------" + std::to_string(i));
  equal_abbreviated.push_back("b");
  std::vector<std::string> one = {""};
  return {Build(&keys, kBytewiseOrder), Build(&equal_abbreviated, kBytewiseOrder),
          Build(&one, kBytewiseOrder)};
}

TEST(IndexParse, RejectsEveryTruncationAndEveryExtension) {
  for (const std::string& good : SmallIndexes()) {
    for (size_t size = 0; size < good.size(); ++size) {
      const auto exact = std::make_unique<char[]>(size);
      good.copy(exact.get(), size);
      EXPECT_EQ(IndexView::Parse({exact.get(), size}, kBytewiseOrder).status().code(),
                absl::StatusCode::kDataLoss);
    }
    EXPECT_FALSE(IndexView::Parse(good + '\0', kBytewiseOrder).ok());
  }
}

TEST(IndexParse, IsSafeWhenAnyByteIsFlipped) {
  const KeyOrder orders[] = {kBytewiseOrder, KeyOrder(&kReverse)};
  size_t accepted = 0, rejected = 0;
  for (const std::string& good : SmallIndexes()) {
    for (size_t at = 0; at < good.size(); ++at) {
      for (const int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ flip);
        const auto exact = std::make_unique<char[]>(bad.size());
        bad.copy(exact.get(), bad.size());
        for (const KeyOrder& order : orders) {
          const auto view = IndexView::Parse({exact.get(), bad.size()}, order);
          view.ok() ? ++accepted : ++rejected;
          if (!view.ok()) continue;
          for (const char* key :
               {"", "a", "a-------15", "key", "key150", "key2000000000000", "z"}) {
            ASSERT_LE(view->Find(key), view->count());
          }
          uint64_t end = 0;
          for (size_t i = 0; i < view->count(); ++i) {
            const BlockHandle handle = view->handle(i);
            ASSERT_GE(handle.offset, end);
            end = handle.offset + handle.size;
            ASSERT_GT(end, handle.offset);
            ASSERT_LE(view->separator(i).size() + view->flags(i), bad.size() + 255);
          }
        }
      }
    }
  }
  EXPECT_GT(accepted, 100u);
  EXPECT_GT(rejected, 100u);
}

TEST(IndexParse, RejectsSeparatorsOutOfOrder) {
  IndexBuilder builder;
  builder.Add("b", {0, 8}, 0);
  builder.Add("a", {8, 8}, 0);
  const std::string bytes = builder.Finish();
  EXPECT_EQ(IndexView::Parse(bytes, kBytewiseOrder).status().code(), absl::StatusCode::kDataLoss);
}

TEST(IndexParse, RejectsOverlappingAndEmptyBlocks) {
  IndexBuilder builder;
  builder.Add("a", {0, 8}, 0);
  builder.Add("b", {8, 8}, 0);
  std::string bytes = builder.Finish();
  std::string overlapping = bytes;
  overlapping[overlapping.size() - 5] = 7;  // the second block's offset
  EXPECT_FALSE(IndexView::Parse(overlapping, kBytewiseOrder).ok());
  std::string empty = bytes;
  empty[empty.size() - 3] = 0;  // the second block's size
  EXPECT_FALSE(IndexView::Parse(empty, kBytewiseOrder).ok());
}

}  // namespace
}  // namespace cambium::sstable
