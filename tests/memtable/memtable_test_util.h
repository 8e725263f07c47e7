// Shared by the tests of the memtable: a model of it, and keys of many shapes.
#ifndef CAMBIUM_TESTS_MEMTABLE_MEMTABLE_TEST_UTIL_H_
#define CAMBIUM_TESTS_MEMTABLE_MEMTABLE_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/internal_iterator.h"
#include "base/key_fold.h"
#include "base/keys.h"
#include "memtable/memtable.h"
#include "util/checksum.h"
#include "util/chunk_pool.h"
#include "util/random.h"

namespace cambium::memtable {

// Descending bytewise order.
class ReverseComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.Reverse"; }
  bool EqualMeansIdentical() const override { return true; }
};

// Ignores the case of letters: different bytes may be the same key.
class CaselessComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    return Lower(a).compare(Lower(b));
  }
  const char* Name() const override { return "test.Caseless"; }

 private:
  static std::string Lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return lower;
  }
};

// Orders (key, trailer) like the memtable.
struct EntryLess {
  const KeyOrder* order;
  bool operator()(const std::pair<std::string, Trailer>& a,
                  const std::pair<std::string, Trailer>& b) const {
    return order->CompareEntries(a.first, a.second, b.first, b.second) < 0;
  }
};

// A memtable and the std::map that it must equal. Confined to one test.
class Checked {
 public:
  using Model = std::map<std::pair<std::string, Trailer>, std::string, EntryLess>;

  explicit Checked(const Comparator* comparator = BytewiseComparator(),
                   size_t capacity = size_t{1} << 20)
      : order_(comparator),
        pool_(MemTable::ChunkBytesFor(capacity), capacity),
        memtable_(order_, &pool_, capacity),
        model_(EntryLess{&order_}) {}

  void Add(std::string_view key, Trailer trailer, std::string_view value) {
    memtable_.Add(key, trailer, value, order_.comparator_identical() ? HashKey(key) : 0);
    model_.emplace(std::pair(std::string(key), trailer), value);
  }
  void Put(std::string_view key, std::string_view value) {
    Add(key, MakeTrailer(++sequence_, Kind::kValue), value);
  }
  void Delete(std::string_view key) { Add(key, MakeTrailer(++sequence_, Kind::kDelete), ""); }

  // Returns the result of a Get at `sequence`: the value, "-" if deleted, "?" if there is no
  // version.
  std::string Get(std::string_view key, SequenceNumber sequence) const {
    const LookupKey lookup(key, sequence, order_);
    KeyFold fold(sequence);
    memtable_.Prefetch(lookup.hash);
    const KeyFold::State state = memtable_.Get(lookup, &fold);
    EXPECT_EQ(state, fold.state());
    if (state == KeyFold::State::kValue) {
      EXPECT_TRUE(memtable_.MayContain(lookup.hash));
      return std::string(fold.value());
    }
    return state == KeyFold::State::kDeleted ? "-" : "?";
  }
  std::string ModelGet(std::string_view key, SequenceNumber sequence) const {
    const auto found = model_.lower_bound({std::string(key), SeekTrailer(sequence)});
    if (found == model_.end() || !order_.Equal(found->first.first, key)) return "?";
    return TrailerKind(found->first.second) == Kind::kDelete ? "-" : found->second;
  }

  // Compares all entries of both, in both directions.
  void CheckWalks() const {
    const auto iterator = memtable_.NewIterator();
    EXPECT_FALSE(iterator->Valid());
    iterator->SeekToFirst();
    for (auto expected = model_.begin(); expected != model_.end(); ++expected) {
      ASSERT_NO_FATAL_FAILURE(ExpectAt(*iterator, expected));
      iterator->Next();
    }
    EXPECT_FALSE(iterator->Valid());
    iterator->SeekToLast();
    for (auto expected = model_.rbegin(); expected != model_.rend(); ++expected) {
      ASSERT_NO_FATAL_FAILURE(ExpectAt(*iterator, std::prev(expected.base())));
      iterator->Prev();
    }
    EXPECT_FALSE(iterator->Valid());
    EXPECT_TRUE(iterator->status().ok());
  }

  // Seeks to (key, trailer) in both directions, then makes a few steps forward and back.
  void CheckSeeks(std::string_view key, Trailer trailer) const {
    const auto iterator = memtable_.NewIterator();
    auto expected = model_.lower_bound({std::string(key), trailer});
    iterator->Seek(key, trailer);
    ASSERT_NO_FATAL_FAILURE(ExpectAt(*iterator, expected));
    for (int i = 0; i < 3 && expected != model_.end(); ++i) {
      iterator->Next();
      ASSERT_NO_FATAL_FAILURE(ExpectAt(*iterator, ++expected));
    }
    expected = model_.upper_bound({std::string(key), trailer});
    iterator->SeekForPrev(key, trailer);
    if (expected == model_.begin()) {
      ASSERT_FALSE(iterator->Valid());
      return;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectAt(*iterator, --expected));
    for (int i = 0; i < 3 && expected != model_.begin(); ++i) {
      iterator->Prev();
      ASSERT_NO_FATAL_FAILURE(ExpectAt(*iterator, --expected));
    }
    iterator->Next();
    ASSERT_NO_FATAL_FAILURE(ExpectAt(*iterator, ++expected));
  }

  const MemTable& memtable() const { return memtable_; }
  const ChunkPool& pool() const { return pool_; }
  const Model& model() const { return model_; }
  SequenceNumber sequence() const { return sequence_; }

 private:
  void ExpectAt(const InternalIterator& iterator, Model::const_iterator expected) const {
    ASSERT_EQ(iterator.Valid(), expected != model_.end());
    if (expected == model_.end()) return;
    ASSERT_EQ(iterator.key(), expected->first.first);
    ASSERT_EQ(iterator.trailer(), expected->first.second);
    ASSERT_EQ(iterator.value(), expected->second);
  }

  const KeyOrder order_;
  ChunkPool pool_;
  MemTable memtable_;
  Model model_;
  SequenceNumber sequence_ = 0;
};

// Returns a key of a given shape: short or long, with common prefixes, zero bytes, or 0xff bytes.
inline std::string ShapedKey(uint64_t shape, uint64_t number) {
  const std::string digits = std::to_string(number);
  switch (shape) {
    case 0: {
      std::string key(8, '\0');
      StoreFixed64(key.data(), MixBits(number));
      return key.substr(0, number % 9);
    }
    case 1:
      return "a/long/prefix/that/all/keys/have/" + digits;
    case 2:
      return std::string(number % 70, '\0');
    case 3:
      return std::string(number % 70, '\xff') + digits;
    case 4:
      return std::string(16 - std::min<size_t>(digits.size(), 16), '0') + digits;
    default:
      return digits;
  }
}
inline constexpr uint64_t kKeyShapes = 6;

}  // namespace cambium::memtable

#endif  // CAMBIUM_TESTS_MEMTABLE_MEMTABLE_TEST_UTIL_H_
