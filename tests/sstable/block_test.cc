// Data blocks: every search and walk against a sorted vector, over many shapes of keys and values;
// and bytes that are not blocks.
#include "sstable/block/block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "sstable/block/block_builder.h"
#include "sstable/block/block_simd.h"
#include "util/checksum.h"

namespace cambium::sstable {
namespace {

struct Entry {
  std::string key;
  Trailer trailer;
  std::string value;
};

class ReverseComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.Reverse"; }
  bool EqualMeansIdentical() const override { return true; }
};

// Upper and lower case are the same: keys of different bytes are equal.
class CaselessComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    const size_t shorter = std::min(a.size(), b.size());
    for (size_t i = 0; i < shorter; ++i) {
      const int difference = Fold(a[i]) - Fold(b[i]);
      if (difference != 0) return difference;
    }
    return static_cast<int>(a.size()) - static_cast<int>(b.size());
  }
  const char* Name() const override { return "test.Caseless"; }

 private:
  static int Fold(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte;
  }
};

const ReverseComparator kReverse;
const CaselessComparator kCaseless;

std::string Build(const std::vector<Entry>& entries, const KeyOrder& order) {
  BlockBuilder builder(order);
  for (const Entry& entry : entries) {
    builder.Add(entry.key, entry.trailer, entry.value, HashKey(entry.key));
  }
  return std::string(builder.Finish());
}

// Bytes in memory of exactly their size, so that AddressSanitizer sees a read beside them.
class ExactBytes {
 public:
  explicit ExactBytes(std::string_view bytes)
      : size_(bytes.size()), bytes_(std::make_unique<char[]>(bytes.size())) {
    std::copy(bytes.begin(), bytes.end(), bytes_.get());
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> bytes_;
};

class Model {
 public:
  Model(std::vector<Entry> entries, const KeyOrder& order)
      : entries_(std::move(entries)), order_(order) {
    const auto less = [&](const Entry& a, const Entry& b) {
      return order_.CompareEntries(a.key, a.trailer, b.key, b.trailer) < 0;
    };
    const auto same = [&](const Entry& a, const Entry& b) { return !less(a, b) && !less(b, a); };
    std::sort(entries_.begin(), entries_.end(), less);
    entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
    bytes_ = std::make_unique<ExactBytes>(Build(entries_, order_));
    absl::StatusOr<Block> block = Block::Parse(bytes_->view());
    EXPECT_TRUE(block.ok()) << block.status();
    if (block.ok()) block_ = *block;
  }

  const Block& block() const { return block_; }
  const std::vector<Entry>& entries() const { return entries_; }

  void CheckAll(uint64_t seed) const {
    ASSERT_EQ(block_.count(), entries_.size());
    CheckEntries();
    CheckFlags();
    CheckWalks();
    std::mt19937_64 random(seed);
    for (int i = 0; i < 100; ++i) {
      const auto [key, trailer] = RandomTarget(random);
      ASSERT_NO_FATAL_FAILURE(CheckSeeks(key, trailer));
      ASSERT_NO_FATAL_FAILURE(CheckGet(key, TrailerSequence(trailer)));
    }
  }

  size_t LowerBound(std::string_view key, Trailer trailer) const {
    const auto before = [&](const Entry& entry, int) {
      return order_.CompareEntries(entry.key, entry.trailer, key, trailer) < 0;
    };
    return static_cast<size_t>(std::lower_bound(entries_.begin(), entries_.end(), 0, before) -
                               entries_.begin());
  }

 private:
  void CheckEntries() const {
    std::string buffer;
    for (size_t i = 0; i < entries_.size(); ++i) {
      ASSERT_EQ(block_.KeyAt(i, &buffer), entries_[i].key) << i;
      ASSERT_EQ(block_.TrailerAt(i), entries_[i].trailer) << i;
      ASSERT_EQ(block_.ValueAt(i), entries_[i].value) << i;
    }
  }

  void CheckFlags() const {
    bool tombstones = false, duplicates = false, zero = true, pointers = false;
    for (size_t i = 0; i < entries_.size(); ++i) {
      const Kind kind = TrailerKind(entries_[i].trailer);
      tombstones |= kind == Kind::kDelete || kind == Kind::kSingleDelete;
      pointers |= kind == Kind::kValuePointer;
      zero &= TrailerSequence(entries_[i].trailer) == 0;
      duplicates |= i > 0 && order_.Equal(entries_[i].key, entries_[i - 1].key);
    }
    EXPECT_EQ((block_.flags() & kBlockHasTombstones) != 0, tombstones);
    EXPECT_EQ(block_.has_duplicates(), duplicates);
    EXPECT_EQ(block_.all_sequences_zero(), zero);
    EXPECT_EQ((block_.flags() & kBlockHasValuePointers) != 0, pointers);
    EXPECT_EQ(block_.has_fingerprints(), order_.comparator_identical());
  }

  void CheckWalks() const {
    BlockIterator it(order_);
    it.SetBlock(block_);
    EXPECT_FALSE(it.Valid());
    size_t i = 0;
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      ASSERT_NO_FATAL_FAILURE(ExpectAt(it, i));
      ++i;
    }
    EXPECT_EQ(i, entries_.size());
    for (it.SeekToLast(); it.Valid(); it.Prev()) ASSERT_NO_FATAL_FAILURE(ExpectAt(it, --i));
    EXPECT_EQ(i, 0u);
    EXPECT_TRUE(it.status().ok());
  }

  void ExpectAt(const BlockIterator& it, size_t i) const {
    ASSERT_LT(i, entries_.size());
    ASSERT_TRUE(it.Valid());
    ASSERT_EQ(it.key(), entries_[i].key) << i;
    ASSERT_EQ(it.trailer(), entries_[i].trailer) << i;
    ASSERT_EQ(it.value(), entries_[i].value) << i;
  }

  void CheckSeeks(const std::string& key, Trailer trailer) const {
    const size_t at = LowerBound(key, trailer);
    ASSERT_EQ(block_.LowerBound(key, trailer, order_), at)
        << testing::PrintToString(key) << "@" << trailer;
    BlockIterator it(order_);
    it.SetBlock(block_);
    it.Seek(key, trailer);
    ASSERT_EQ(it.Valid(), at < entries_.size());
    if (it.Valid()) {
      ASSERT_NO_FATAL_FAILURE(ExpectAt(it, at));
    }
    it.SeekForPrev(key, trailer);
    const bool exact = at < entries_.size() && entries_[at].trailer == trailer &&
                       order_.Equal(entries_[at].key, key);
    const size_t before = exact ? at : at - 1;  // wraps where there is none
    ASSERT_EQ(it.Valid(), before < entries_.size());
    if (it.Valid()) {
      ASSERT_NO_FATAL_FAILURE(ExpectAt(it, before));
    }
  }

  void CheckGet(const std::string& key, SequenceNumber sequence) const {
    KeyFold expected(sequence);
    const Entry* decided = nullptr;
    bool continues = false;
    for (const Entry& entry : entries_) {
      if (!order_.Equal(entry.key, key)) continue;
      continues = &entry == &entries_.back();
      if (expected.Step(entry.trailer, entry.value) == KeyFold::State::kMore) continue;
      decided = &entry;
      continues = false;
      break;
    }
    KeyFold fold(sequence);
    const LookupKey lookup(key, sequence, order_);
    ASSERT_EQ(block_.Get(lookup, order_, &fold), continues)
        << testing::PrintToString(key) << " at " << sequence;
    ASSERT_EQ(fold.state(), expected.state());
    if (decided == nullptr) return;
    ASSERT_EQ(fold.kind(), TrailerKind(decided->trailer));
    if (fold.state() == KeyFold::State::kValue) {
      ASSERT_EQ(fold.value(), decided->value);
    }
  }

  // An entry's key or something near it; a trailer at or beside the entry's, or at an end.
  std::pair<std::string, Trailer> RandomTarget(std::mt19937_64& random) const {
    const Entry& entry = entries_[random() % entries_.size()];
    std::string key = entry.key;
    switch (random() % 8) {
      case 0:
        key.push_back(static_cast<char>(random()));
        break;
      case 1:
        key.push_back('\0');
        break;
      case 2:
        if (!key.empty()) key.pop_back();
        break;
      case 3:
        if (!key.empty()) key[random() % key.size()] = static_cast<char>(random());
        break;
      case 4:
        key = key.substr(0, random() % (key.size() + 1));
        break;
      default:
        break;
    }
    const Trailer trailers[] = {entry.trailer,
                                entry.trailer + 1,
                                entry.trailer == 0 ? 0 : entry.trailer - 1,
                                0,
                                ~Trailer{0},
                                SeekTrailer(TrailerSequence(entry.trailer)),
                                random()};
    return {key, trailers[random() % std::size(trailers)]};
  }

  std::vector<Entry> entries_;
  KeyOrder order_;
  std::unique_ptr<ExactBytes> bytes_;
  Block block_;
};

std::string RandomString(std::mt19937_64& random, size_t size, std::string_view alphabet) {
  std::string out(size, '\0');
  for (char& c : out) {
    c = alphabet.empty() ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
  }
  return out;
}

struct Shape {
  std::string name;
  size_t count;
  std::function<std::string(std::mt19937_64&)> key;
  std::function<Trailer(std::mt19937_64&)> trailer;
  std::function<std::string(std::mt19937_64&)> value;
};

Trailer AnyTrailer(std::mt19937_64& random) {
  return MakeTrailer(1 + random() % 1000, random() % 4 == 0 ? Kind::kDelete : Kind::kValue);
}
Trailer PutTrailer(std::mt19937_64& random) {
  return MakeTrailer(1 + random() % 100'000, Kind::kValue);
}
Trailer ZeroTrailer(std::mt19937_64&) { return MakeTrailer(0, Kind::kValue); }
Trailer DeleteTrailer(std::mt19937_64& random) { return MakeTrailer(random() % 3, Kind::kDelete); }
Trailer WideTrailer(std::mt19937_64& random) {
  return MakeTrailer(random() & kMaxSequenceNumber, static_cast<Kind>(random() % kKindCount));
}

std::vector<Shape> Shapes() {
  using R = std::mt19937_64;
  const auto fixed_value = [](R& r) { return RandomString(r, 100, ""); };
  const auto any_value = [](R& r) { return RandomString(r, r() % 300, ""); };
  const auto no_value = [](R&) { return std::string(); };
  const auto key16 = [](R& r) {
    std::string digits = std::to_string(1'000'000 + r() % 5'000);
    return std::string(16 - digits.size(), '0') + digits;
  };
  return {
      {"fixed 16-byte keys", 70, key16, PutTrailer, fixed_value},
      {"fixed keys, last level", 300, key16, ZeroTrailer, fixed_value},
      {"random 16-byte keys", 70, [](R& r) { return RandomString(r, 16, ""); }, AnyTrailer,
       any_value},
      {"one-byte keys", 200, [](R& r) { return RandomString(r, 1, ""); }, AnyTrailer, any_value},
      {"empty key alone", 1, [](R&) { return std::string(); }, AnyTrailer, any_value},
      {"empty key, many versions", 40, [](R&) { return std::string(); }, AnyTrailer, any_value},
      {"empty and short keys", 60, [](R& r) { return RandomString(r, r() % 4, "ab"); }, AnyTrailer,
       any_value},
      {"keys of zeros", 60, [](R& r) { return std::string(r() % 30, '\0'); }, AnyTrailer,
       any_value},
      {"keys of 0xff", 60, [](R& r) { return std::string(r() % 30, '\xff'); }, AnyTrailer,
       any_value},
      {"variable keys", 150, [](R& r) { return RandomString(r, r() % 40, ""); }, AnyTrailer,
       any_value},
      {"variable keys, long prefix", 150,
       [](R& r) { return "tenant/42/users/" + RandomString(r, r() % 20, "abc"); }, AnyTrailer,
       any_value},
      {"common prefix and suffix", 150,
       [](R& r) { return "user" + RandomString(r, 5, "0123") + "@example.com"; }, AnyTrailer,
       any_value},
      {"long equal abbreviated_keys", 150,
       [](R& r) { return RandomString(r, 1, "ab") + "........" + RandomString(r, 3, "01"); },
       AnyTrailer, any_value},
      {"variable keys, equal abbreviated_keys", 150,
       [](R& r) { return RandomString(r, 1, "ab") + "........" + RandomString(r, r() % 9, "01"); },
       AnyTrailer, any_value},
      {"overlapping prefix and suffix", 2,
       [](R& r) { return std::string(r() % 2 == 0 ? "aaa" : "aba"); }, AnyTrailer, any_value},
      {"one key, many versions", 250, [](R&) { return std::string("counter"); }, AnyTrailer,
       any_value},
      {"few keys, many versions", 250, [](R& r) { return RandomString(r, 2, "xyz"); }, AnyTrailer,
       any_value},
      {"all deleted, no values", 60, key16, DeleteTrailer, no_value},
      {"no values", 60, key16, PutTrailer, no_value},
      {"every kind, wide sequences", 100, key16, WideTrailer, any_value},
      {"64 KiB keys", 6,
       [](R& r) { return std::string(65'530, 'k') + RandomString(r, r() % 7, "pq"); }, AnyTrailer,
       any_value},
      {"64 KiB keys without prefix", 6, [](R& r) { return RandomString(r, 65'536, ""); },
       AnyTrailer, any_value},
      {"big values", 4, key16, PutTrailer,
       [](R& r) { return RandomString(r, r() % 300'000, "v"); }},
      {"many small entries", 1000, [](R& r) { return RandomString(r, 3, ""); }, AnyTrailer,
       [](R& r) { return RandomString(r, 1, ""); }},
      {"a giant value alone", 1, key16, PutTrailer, [](R&) { return std::string(2'000'000, 'G'); }},
  };
}

void CheckShapes(const KeyOrder& order) {
  uint64_t seed = 0;
  for (const Shape& shape : Shapes()) {
    for (int round = 0; round < 3; ++round) {
      SCOPED_TRACE(shape.name + ", seed " + std::to_string(++seed));
      std::mt19937_64 random(seed);
      std::vector<Entry> entries;
      for (size_t i = 0; i < shape.count; ++i) {
        std::string key = shape.key(random);
        const Trailer trailer = shape.trailer(random);
        entries.push_back({std::move(key), trailer, shape.value(random)});
      }
      // No two entries of a tree have the same key and sequence number.
      std::map<std::pair<std::string, SequenceNumber>, Entry> distinct;
      for (Entry& entry : entries) distinct[{entry.key, TrailerSequence(entry.trailer)}] = entry;
      entries.clear();
      for (auto& [unused, entry] : distinct) entries.push_back(entry);
      const Model model(std::move(entries), order);
      ASSERT_NO_FATAL_FAILURE(model.CheckAll(seed));
    }
  }
}

TEST(Block, AgreesWithAVectorInBytewiseOrder) { CheckShapes(KeyOrder(BytewiseComparator())); }

TEST(Block, AgreesWithAVectorInReverseOrder) { CheckShapes(KeyOrder(&kReverse)); }

TEST(Block, AgreesWithAVectorWhereDifferentBytesAreEqual) { CheckShapes(KeyOrder(&kCaseless)); }

TEST(Block, FindsAnotherSpellingWhereDifferentBytesAreEqual) {
  const KeyOrder order(&kCaseless);
  const std::string bytes = Build({{"Alpha", MakeTrailer(7, Kind::kValue), "new"},
                                   {"aLPHA", MakeTrailer(5, Kind::kValue), "old"}},
                                  order);
  const Block block = *Block::Parse(bytes);
  EXPECT_TRUE(block.has_duplicates());
  KeyFold fold(6);
  EXPECT_FALSE(block.Get(LookupKey("ALPHA", 6, order), order, &fold));
  EXPECT_EQ(fold.value(), "old");
}

TEST(Block, StoresKeysWholeWhenTheOrderIsNotBytewise) {
  const KeyOrder order(&kReverse);
  const std::string bytes = Build({{"user-2", 1, ""}, {"user-1", 1, ""}}, order);
  const Block block = *Block::Parse(bytes);
  EXPECT_EQ(block.prefix(), "");
  EXPECT_EQ(block.suffix(), "");
  EXPECT_EQ(block.MiddleAt(0), "user-2");
}

TEST(Block, SaysThatVersionsMayContinueWhenTheLastEntryIsTheKeysAndTooNew) {
  const KeyOrder order(BytewiseComparator());
  const std::string bytes = Build({{"a", MakeTrailer(3, Kind::kValue), "1"},
                                   {"b", MakeTrailer(9, Kind::kValue), "2"},
                                   {"b", MakeTrailer(8, Kind::kValue), "3"}},
                                  order);
  const Block block = *Block::Parse(bytes);
  KeyFold too_new(7);
  EXPECT_TRUE(block.Get(LookupKey("b", 7, order), order, &too_new));
  EXPECT_EQ(too_new.state(), KeyFold::State::kMore);
  KeyFold decided(8);
  EXPECT_FALSE(block.Get(LookupKey("b", 8, order), order, &decided));
  EXPECT_EQ(decided.state(), KeyFold::State::kValue);
  KeyFold not_last(2);
  EXPECT_FALSE(block.Get(LookupKey("a", 2, order), order, &not_last));
  EXPECT_EQ(not_last.state(), KeyFold::State::kMore);
  KeyFold absent(7);
  EXPECT_FALSE(block.Get(LookupKey("c", 7, order), order, &absent));
  EXPECT_EQ(absent.state(), KeyFold::State::kMore);
}

TEST(Block, AnswersUnsupportedForAKindOfALaterRelease) {
  const KeyOrder order(BytewiseComparator());
  const std::string bytes = Build({{"k", MakeTrailer(3, Kind::kMerge), "operand"}}, order);
  const Block block = *Block::Parse(bytes);
  KeyFold fold(9);
  EXPECT_FALSE(block.Get(LookupKey("k", 9, order), order, &fold));
  EXPECT_EQ(fold.state(), KeyFold::State::kUnsupported);
  EXPECT_EQ(fold.kind(), Kind::kMerge);
}

TEST(Block, TakesFewBytesBesideKeysAndValues) {
  const KeyOrder order(BytewiseComparator());
  std::vector<Entry> entries;
  for (int i = 0; i < 70; ++i) {
    entries.push_back({"key000000" + std::to_string(1'000'000 + 37 * i),
                       MakeTrailer(static_cast<SequenceNumber>(1'000'000 + i * 100), Kind::kValue),
                       std::string(100, 'v')});
  }
  // Header and prefix once; an entry is a fingerprint, 4 bytes of key, 2 of sequence, its value.
  const size_t size = Build(entries, order).size();
  EXPECT_EQ(size, kBlockHeaderSize + 12 + 70 * (1 + 4 + 2 + 100));
}

TEST(Block, LooksAsTheExampleInTheFormatSays) {
  // docs/format/sstable-blocks.md.
  constexpr unsigned char kExample[] = {
      0x02, 0,   0,   0,   0x10, 1,    0,    1,   0x01, 0, 0, 0, 0x05, 0, 0,   0,   0,  0, 0, 0,
      0x01, 0,   0,   0,   0x03, 0,    0,    0,   0,    0, 0, 0, 0x05, 0, 0,   0,   0,  0, 0, 0,
      'u',  's', 'e', 'r', '1',  0x36, 0xdf, '0', '2',  2, 0, 0, 1,    3, 'x', 'y', 'z'};
  const std::string bytes = Build({{"user10", MakeTrailer(7, Kind::kValue), "x"},
                                   {"user12", MakeTrailer(5, Kind::kValue), "yz"}},
                                  KeyOrder(BytewiseComparator()));
  EXPECT_EQ(bytes, std::string(std::begin(kExample), std::end(kExample)));
}

TEST(Block, HasNoEntriesWhenDefault) {
  BlockIterator it{KeyOrder(BytewiseComparator())};
  it.SetBlock(Block());
  it.SeekToFirst();
  EXPECT_FALSE(it.Valid());
  it.SeekToLast();
  EXPECT_FALSE(it.Valid());
}

TEST(BlockBuilder, StartsAfreshAfterReset) {
  const KeyOrder order(BytewiseComparator());
  BlockBuilder builder(order);
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(builder.empty());
    const std::string big(round == 1 ? 3'000'000 : 10, 'x');
    builder.Add("first" + std::to_string(round), MakeTrailer(2, Kind::kDelete), "", 1);
    builder.Add("second", MakeTrailer(1, Kind::kValue), big, 2);
    EXPECT_EQ(builder.first_key(), "first" + std::to_string(round));
    EXPECT_EQ(builder.last_key(), "second");
    EXPECT_GE(builder.EstimatedSize(), big.size());
    const Block block = *Block::Parse(builder.Finish());
    EXPECT_EQ(block.count(), 2u);
    EXPECT_EQ(block.ValueAt(1), big);
    EXPECT_EQ(builder.flags(), kBlockHasTombstones | kBlockHasFingerprints | kBlockHasKinds);
    builder.Reset();
  }
  builder.Add("k", MakeTrailer(0, Kind::kValue), "v", 1);
  builder.Finish();
  EXPECT_EQ(builder.flags(), kBlockSequencesZero | kBlockHasFingerprints);
}

TEST(BlockBuilder, EstimatesTheSizeWithinATenth) {
  const KeyOrder order(BytewiseComparator());
  BlockBuilder builder(order);
  for (int i = 0; i < 70; ++i) {
    const std::string key = "key000000" + std::to_string(1'000'000 + 37 * i);
    builder.Add(key, MakeTrailer(100, Kind::kValue), std::string(100, 'v'), HashKey(key));
  }
  const auto estimate = static_cast<double>(builder.EstimatedSize());
  const auto size = static_cast<double>(builder.Finish().size());
  EXPECT_NEAR(estimate / size, 1.0, 0.1);
}

TEST(BlockIterator, KeepsKeysRightWhenBlocksOfDifferentShapesFollowEachOther) {
  const KeyOrder order(BytewiseComparator());
  const std::vector<std::vector<Entry>> blocks = {
      {{"prefix-aa-suffix", 1, "1"}, {"prefix-bb-suffix", 1, "2"}},
      {{"", 1, "3"}, {"q", 1, "4"}},
      {{"long-prefix-common-a", 1, "5"}, {"long-prefix-common-abcdefghijklmnopq", 1, "6"}},
      {{"p1s", 1, "7"}, {"p2s", 1, "8"}},
  };
  BlockIterator it(order);
  for (int round = 0; round < 2; ++round) {
    for (const std::vector<Entry>& entries : blocks) {
      const std::string bytes = Build(entries, order);
      it.SetBlock(*Block::Parse(bytes));
      for (const size_t i : {1, 0, 1}) {
        it.MoveTo(i);
        ASSERT_TRUE(it.Valid());
        EXPECT_EQ(it.key(), entries[i].key);
        EXPECT_EQ(it.value(), entries[i].value);
      }
    }
  }
}

TEST(Fingerprints, MatchAlikeWithEverySetOfInstructions) {
  std::mt19937_64 random(5);
  for (Simd simd : {Simd::kPortable, Simd::kAvx2, Simd::kAvx512}) {
    if (simd > BestSimd()) continue;
    const FingerprintMatcher match = FingerprintMatcherFor(simd);
    for (size_t count = 1; count <= kFingerprintGroup; ++count) {
      for (int round = 0; round < 50; ++round) {
        const std::string bytes = RandomString(random, kFingerprintReach + count,
                                               std::string_view("\x00\x01\x80\xff", 4));
        const ExactBytes exact(bytes);
        const char* const column = exact.view().data() + kFingerprintReach;
        const auto wanted = static_cast<uint8_t>(round % 2 == 0 ? 0x80 : round % 4);
        uint64_t expected = 0;
        for (size_t i = 0; i < count; ++i) {
          if (static_cast<uint8_t>(column[i]) == wanted) expected |= uint64_t{1} << i;
        }
        ASSERT_EQ(match(column, count, wanted), expected) << static_cast<int>(simd) << " " << count;
      }
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Hostile bytes
// ---------------------------------------------------------------------------------------------

// Calls every function of a parsed block; results may be wrong, memory accesses may not. (The
// sanitizers check this.) Returns a sum, so that nothing is optimized away.
size_t Exercise(const Block& block, const KeyOrder& order) {
  size_t sum = 0;
  const auto take = [&sum](std::string_view bytes) {
    for (const char c : bytes) sum = sum * 31 + static_cast<unsigned char>(c);
  };
  BlockIterator it(order);
  it.SetBlock(block);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    take(it.key());
    take(it.value());
    sum += it.trailer();
  }
  for (const std::string_view key : {"", "a", "key", "key05", "key05zzzzzzzzzzzzzz", "\xff\xff"}) {
    for (const Trailer trailer : {Trailer{0}, MakeTrailer(5, Kind::kValue), ~Trailer{0}}) {
      it.Seek(key, trailer);
      if (it.Valid()) take(it.key());
      it.SeekForPrev(key, trailer);
      if (it.Valid()) take(it.value());
    }
    KeyFold fold(6);
    block.Get(LookupKey(key, 6, order), order, &fold);
    if (fold.state() == KeyFold::State::kValue) take(fold.value());
  }
  return sum;
}

std::vector<std::string> SmallBlocks() {
  const KeyOrder order(BytewiseComparator());
  const auto put = [](SequenceNumber sequence) { return MakeTrailer(sequence, Kind::kValue); };
  std::vector<Entry> fixed, variable, versions;
  for (int i = 0; i < 12; ++i) {
    const std::string number = std::to_string(10 + i);
    fixed.push_back({"key" + number + "end", put(static_cast<uint64_t>(i) * 40), "value"});
    variable.push_back(
        {"key" + number + std::string(static_cast<size_t>(i), '-'),
         MakeTrailer(static_cast<uint64_t>(i), i % 3 == 0 ? Kind::kDelete : Kind::kValue),
         std::string(static_cast<size_t>(i) * 2, 'v')});
    versions.push_back({"key", put(static_cast<uint64_t>(1'000'000 - i * 70'000)), ""});
  }
  return {Build(fixed, order), Build(variable, order), Build(versions, order),
          Build({{"key05", put(kMaxSequenceNumber), "v"}, {"key06", put(1), "w"}}, order),
          Build({{"", put(0), ""}}, order)};
}

TEST(BlockParse, IsSafeWhenAnyByteIsFlipped) {
  const KeyOrder orders[] = {KeyOrder(BytewiseComparator()), KeyOrder(&kCaseless)};
  size_t rejected = 0, accepted = 0;
  for (const std::string& good : SmallBlocks()) {
    for (size_t at = 0; at < good.size(); ++at) {
      for (const int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ flip);
        const ExactBytes exact(bad);
        const absl::StatusOr<Block> block = Block::Parse(exact.view());
        block.ok() ? ++accepted : ++rejected;
        if (!block.ok()) continue;
        for (const KeyOrder& order : orders) Exercise(*block, order);
      }
    }
  }
  EXPECT_GT(rejected, 1000u);
  EXPECT_GT(accepted, 1000u);
}

TEST(BlockParse, IsSafeWhenAFieldOfTheHeaderIsExtreme) {
  const KeyOrder order(BytewiseComparator());
  constexpr uint32_t kExtremes[] = {0,          1,          2,          7,          0xff,
                                    0x100,      0xffff,     0x10000,    0x7fffffff, 0x80000000,
                                    0xfffffff0, 0xffffffff, 0x55555555, 0xffffffd8, 0x01000000};
  for (const std::string& good : SmallBlocks()) {
    for (size_t first = 0; first < kBlockHeaderSize; first += 4) {
      for (size_t second = 0; second < kBlockHeaderSize; second += 4) {
        for (const uint32_t a : kExtremes) {
          for (const uint32_t b : kExtremes) {
            std::string bad = good;
            StoreFixed32(bad.data() + first, a);
            StoreFixed32(bad.data() + second, b);
            const absl::StatusOr<Block> block = Block::Parse(bad);
            if (!block.ok()) continue;
            const ExactBytes exact(bad);
            Exercise(*Block::Parse(exact.view()), order);
          }
        }
      }
    }
  }
}

TEST(BlockParse, RejectsEveryTruncationAndEveryExtension) {
  for (const std::string& good : SmallBlocks()) {
    for (size_t size = 0; size < good.size(); ++size) {
      const ExactBytes exact(good.substr(0, size));
      EXPECT_EQ(Block::Parse(exact.view()).status().code(), absl::StatusCode::kDataLoss) << size;
    }
    EXPECT_EQ(Block::Parse(good + '\0').status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(BlockParse, AnswersUnimplementedWhenALaterReleaseWroteTheBlock) {
  const std::string good = SmallBlocks()[1];
  std::string unknown_flag = good;
  unknown_flag[4] = static_cast<char>(unknown_flag[4] | 0x40);
  EXPECT_EQ(Block::Parse(unknown_flag).status().code(), absl::StatusCode::kUnimplemented);
  std::string unknown_kind = SmallBlocks()[0];
  unknown_kind[8] = kKindCount;
  EXPECT_EQ(Block::Parse(unknown_kind).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(BlockParse, RejectsMoreEntriesThanBytes) {
  // One key of no bytes, no value, no width: entries would cost nothing.
  std::string bytes = SmallBlocks()[4];
  bytes[4] = static_cast<char>(kBlockSequencesZero);  // no fingerprints
  bytes.pop_back();
  ASSERT_TRUE(Block::Parse(bytes).ok()) << Block::Parse(bytes).status();
  StoreFixed32(bytes.data(), 4'000'000'000u);
  EXPECT_EQ(Block::Parse(bytes).status().code(), absl::StatusCode::kDataLoss);
}

TEST(BlockParse, RejectsBoundsThatDoNotReachTheEnd) {
  const KeyOrder order(BytewiseComparator());
  std::string bytes =
      Build({{"a", MakeTrailer(1, Kind::kValue), "12"}, {"b", MakeTrailer(1, Kind::kValue), "345"}},
            order);
  char& last_bound = bytes[bytes.size() - 6];
  ASSERT_EQ(last_bound, 5);
  last_bound = 4;
  EXPECT_EQ(Block::Parse(bytes).status().code(), absl::StatusCode::kDataLoss);
}

TEST(BlockParse, RejectsASequenceNumberAbove56Bits) {
  const KeyOrder order(BytewiseComparator());
  std::string bytes = Build(
      {{"a", MakeTrailer(1, Kind::kValue), ""}, {"b", MakeTrailer(200, Kind::kValue), ""}}, order);
  ASSERT_TRUE(Block::Parse(bytes).ok());
  StoreFixed64(bytes.data() + 32, kMaxSequenceNumber - 198);
  EXPECT_EQ(Block::Parse(bytes).status().code(), absl::StatusCode::kDataLoss);
  StoreFixed64(bytes.data() + 32, kMaxSequenceNumber - 199);
  EXPECT_TRUE(Block::Parse(bytes).ok());
}

}  // namespace
}  // namespace cambium::sstable
