#include "memtable/hash_index.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "util/checksum.h"
#include "util/random.h"

namespace cambium::memtable {
namespace {

using State = HashIndex::Versions::State;
constexpr Trailer kNewest = SeekTrailer(kMaxSequenceNumber);

// An index over entries of its own. Confined to one test.
class Index {
 public:
  explicit Index(size_t capacity) : pool_(8192, 0), arena_(&pool_), index_(&pool_, capacity) {}

  void Insert(std::string_view key, Trailer trailer, uint64_t hash) {
    index_.Insert(Entry::Make(&arena_, key, trailer, ""), hash);
  }
  // The trailers of a key's versions from the index; ends with 0 where the index does not know.
  std::vector<Trailer> Trailers(std::string_view key, uint64_t hash,
                                Trailer newest = kNewest) const {
    std::vector<Trailer> trailers;
    HashIndex::Versions versions(index_, key, hash, newest);
    for (; versions.state() == State::kEntry; versions.Next()) {
      EXPECT_EQ(versions.entry().key(), key);
      trailers.push_back(versions.entry().trailer());
    }
    if (versions.state() == State::kUnknown) trailers.push_back(0);
    return trailers;
  }
  const HashIndex& index() const { return index_; }

 private:
  ChunkPool pool_;
  Arena arena_;
  HashIndex index_;
};

TEST(HashIndex, OrdersVersionsByTrailerWhateverTheOrderOfInsertion) {
  Index index(1 << 20);
  for (const Trailer trailer : {5, 9, 7, 1, 8}) index.Insert("k", trailer, 42);
  index.Insert("other", 6, 42);  // of the same hash: in the same bucket
  EXPECT_EQ(index.Trailers("k", 42), (std::vector<Trailer>{9, 8, 7, 5, 1}));
  EXPECT_EQ(index.Trailers("k", 42, 7), (std::vector<Trailer>{7, 5, 1}));
  EXPECT_EQ(index.Trailers("k", 42, 6), (std::vector<Trailer>{5, 1}));
  EXPECT_EQ(index.Trailers("other", 42), (std::vector<Trailer>{6}));
  EXPECT_TRUE(index.Trailers("absent", 42).empty());
}

TEST(HashIndex, SaysUnknownPastManyVersions) {
  Index index(1 << 20);
  for (Trailer trailer = 1; trailer <= 1000; ++trailer) index.Insert("k", trailer, 42);
  const std::vector<Trailer> trailers = index.Trailers("k", 42);
  ASSERT_EQ(trailers.size(), static_cast<size_t>(HashIndex::kMaxSteps) + 1);
  EXPECT_EQ(trailers.front(), 1000U);
  EXPECT_EQ(trailers.back(), 0U);
  EXPECT_EQ(index.Trailers("k", 42, 10), std::vector<Trailer>{0});
}

TEST(HashIndex, SaysUnknownForABucketInWhichAnEntryFoundNoPlace) {
  Index index(1 << 20);
  for (Trailer trailer = 100; trailer < 200; ++trailer) index.Insert("new", trailer, 42);
  EXPECT_EQ(index.Trailers("new", 42).front(), 199U);
  index.Insert("old", 1, 42);
  EXPECT_EQ(index.Trailers("old", 42), std::vector<Trailer>{0});
  EXPECT_EQ(index.Trailers("new", 42), std::vector<Trailer>{0});
  EXPECT_TRUE(index.index().MayContain(42));
  EXPECT_FALSE(index.index().MayContain(42ULL << 50));
}

TEST(HashIndex, RarelyMistakesAnAbsentHash) {
  Index index(8 << 20);  // 65,536 buckets
  for (Trailer i = 1; i <= 40'000; ++i) index.Insert("k", i, MixBits(i));
  for (Trailer i = 1; i <= 40'000; ++i) ASSERT_TRUE(index.index().MayContain(MixBits(i)));
  int mistaken = 0;
  for (uint64_t i = 0; i < 100'000; ++i) {
    mistaken += index.index().MayContain(MixBits(i + (1ULL << 40))) ? 1 : 0;
  }
  EXPECT_LT(mistaken, 4'000);
}

TEST(HashIndex, TakesASixteenthOfTheCapacity) {
  EXPECT_EQ(Index(8 << 20).index().MemoryUsage(), size_t{512} << 10);
  EXPECT_EQ(Index(0).index().MemoryUsage(), 8192U);
}

}  // namespace
}  // namespace cambium::memtable
