#include "base/merging_iterator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/vector_iterator.h"
#include "util/random.h"

namespace cambium {
namespace {

// The reverse of bytewise.
class Backwards final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "backwards"; }
};

using Entries = std::vector<OwnedEntry>;
using Children = std::vector<std::unique_ptr<InternalIterator>>;

void Sort(const KeyOrder& order, Entries* entries) {
  std::stable_sort(entries->begin(), entries->end(), [&](const OwnedEntry& a, const OwnedEntry& b) {
    return order.CompareEntries(a.key, a.trailer, b.key, b.trailer) < 0;
  });
}

std::unique_ptr<InternalIterator> Merge(const KeyOrder& order,
                                        const std::vector<Entries>& sources) {
  Children children;
  for (const Entries& source : sources) children.push_back(NewVectorIterator(order, source));
  return NewMergingIterator(order, std::move(children));
}

std::string Describe(const InternalIterator& iterator) {
  if (!iterator.Valid()) return "end: " + iterator.status().ToString();
  return std::string(iterator.key()) + "@" + std::to_string(iterator.trailer()) + "=" +
         std::string(iterator.value());
}

std::string WalkForward(InternalIterator* iterator) {
  std::string seen;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    seen += Describe(*iterator) + " ";
  }
  return seen;
}
std::string WalkBackward(InternalIterator* iterator) {
  std::string seen;
  for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) {
    seen += Describe(*iterator) + " ";
  }
  return seen;
}

// Walks well until it has moved so many times, then fails.
class FailingIterator final : public InternalIterator {
 public:
  FailingIterator(std::unique_ptr<InternalIterator> inner, int moves_left)
      : inner_(std::move(inner)), moves_left_(moves_left) {}

  void SeekToFirst() override { inner_->SeekToFirst(), Moved(); }
  void SeekToLast() override { inner_->SeekToLast(), Moved(); }
  void Seek(std::string_view key, Trailer trailer) override { inner_->Seek(key, trailer), Moved(); }
  void SeekForPrev(std::string_view key, Trailer trailer) override {
    inner_->SeekForPrev(key, trailer), Moved();
  }
  void Next() override { inner_->Next(), Moved(); }
  void Prev() override { inner_->Prev(), Moved(); }
  absl::Status status() const override {
    return moves_left_ < 0 ? absl::DataLossError("block 7") : absl::OkStatus();
  }

 private:
  void Moved() {
    if (--moves_left_ < 0 || !inner_->Valid()) return SetInvalid();
    SetEntry(inner_->key(), inner_->trailer(), inner_->value());
  }

  const std::unique_ptr<InternalIterator> inner_;
  int moves_left_;
};

TEST(EmptyIterator, IsNeverValidAndKeepsItsStatus) {
  const auto iterator = NewEmptyIterator(absl::NotFoundError("gone"));
  iterator->SeekToFirst();
  EXPECT_FALSE(iterator->Valid());
  iterator->SeekForPrev("k", 1);
  EXPECT_FALSE(iterator->Valid());
  EXPECT_EQ(iterator->status(), absl::NotFoundError("gone"));
  EXPECT_TRUE(NewEmptyIterator()->status().ok());
}

TEST(VectorIterator, SeeksByKeyAndTrailer) {
  const KeyOrder order(BytewiseComparator());
  const auto iterator = NewVectorIterator(order, {{"a", 9, "1"}, {"a", 3, "2"}, {"c", 5, "3"}});
  const auto seek = [&](std::string_view key, Trailer trailer) {
    iterator->Seek(key, trailer);
    return Describe(*iterator);
  };
  const auto seek_for_prev = [&](std::string_view key, Trailer trailer) {
    iterator->SeekForPrev(key, trailer);
    return Describe(*iterator);
  };
  EXPECT_EQ(seek("a", 9), "a@9=1");
  EXPECT_EQ(seek("a", 8), "a@3=2");
  EXPECT_EQ(seek("a", 2), "c@5=3");
  EXPECT_EQ(seek("", 0), "a@9=1");
  EXPECT_EQ(seek("c", 4), "end: OK");
  EXPECT_EQ(seek_for_prev("a", 9), "a@9=1");
  EXPECT_EQ(seek_for_prev("a", 10), "end: OK");
  EXPECT_EQ(seek_for_prev("a", 0), "a@3=2");
  EXPECT_EQ(seek_for_prev("c", 6), "a@3=2");
  EXPECT_EQ(seek_for_prev("z", 6), "c@5=3");
  EXPECT_EQ(WalkForward(iterator.get()), "a@9=1 a@3=2 c@5=3 ");
  EXPECT_EQ(WalkBackward(iterator.get()), "c@5=3 a@3=2 a@9=1 ");
  EXPECT_EQ(WalkBackward(NewVectorIterator(order, {}).get()), "");
}

TEST(MergingIterator, OfNoneIsEmptyAndOfOneIsThatOne) {
  const KeyOrder order(BytewiseComparator());
  const auto none = NewMergingIterator(order, {});
  none->SeekToFirst();
  EXPECT_FALSE(none->Valid());
  EXPECT_TRUE(none->status().ok());

  auto only = NewVectorIterator(order, {{"a", 1, "x"}});
  const InternalIterator* const address = only.get();
  Children children;
  children.push_back(std::move(only));
  EXPECT_EQ(NewMergingIterator(order, std::move(children)).get(), address);
}

TEST(MergingIterator, NewestVersionFirstThenOrderOfChildren) {
  const KeyOrder order(BytewiseComparator());
  const auto merged = Merge(order, {{{"k", 5, "old"}, {"k", 1, "first"}},
                                    {{"k", 7, "new"}, {"k", 1, "second"}},
                                    {},
                                    {{"k", 1, "third"}}});
  EXPECT_EQ(WalkForward(merged.get()), "k@7=new k@5=old k@1=first k@1=second k@1=third ");
  EXPECT_EQ(WalkBackward(merged.get()), "k@1=third k@1=second k@1=first k@5=old k@7=new ");
}

TEST(MergingIterator, TurnsInPlaceAmongEqualEntries) {
  const KeyOrder order(BytewiseComparator());
  const auto merged = Merge(
      order, {{{"k", 1, "0"}}, {{"j", 2, "j"}, {"k", 1, "1"}}, {{"k", 1, "2"}, {"l", 3, "l"}}});
  merged->Seek("k", 1);
  std::string seen = Describe(*merged);
  for (const bool forward : {true, false, true, true, false, true, true}) {
    forward ? merged->Next() : merged->Prev();
    seen += " " + Describe(*merged);
  }
  EXPECT_EQ(seen, "k@1=0 k@1=1 k@1=0 k@1=1 k@1=2 k@1=1 k@1=2 l@3=l");
}

TEST(MergingIterator, EmptyAndAllOnesHeadsAreOrderedWithTheEnds) {
  const KeyOrder order(BytewiseComparator());
  const std::string ones(8, '\xff');
  const auto merged =
      Merge(order, {{{"", 4, "a"}, {ones, 2, "b"}}, {{"", 3, "c"}, {ones + "x", 1, "d"}}, {}});
  EXPECT_EQ(WalkForward(merged.get()), "@4=a @3=c " + ones + "@2=b " + ones + "x@1=d ");
  EXPECT_EQ(WalkBackward(merged.get()), ones + "x@1=d " + ones + "@2=b @3=c @4=a ");
}

TEST(MergingIterator, StopsAtTheFirstErrorOfAChild) {
  const KeyOrder order(BytewiseComparator());
  const Entries odd = {{"a", 1, ""}, {"c", 1, ""}, {"e", 1, ""}, {"g", 1, ""}};
  const Entries even = {{"b", 1, ""}, {"d", 1, ""}, {"f", 1, ""}};
  for (int moves = 0; moves < 5; ++moves) {
    Children children;
    children.push_back(NewVectorIterator(order, even));
    children.push_back(std::make_unique<FailingIterator>(NewVectorIterator(order, odd), moves));
    const auto merged = NewMergingIterator(order, std::move(children));
    int seen = 0;
    for (merged->SeekToFirst(); merged->Valid(); merged->Next()) ++seen;
    EXPECT_EQ(merged->status(), absl::DataLossError("block 7"));
    EXPECT_EQ(seen, moves == 0 ? 0 : 2 * moves - 1);
  }
}

TEST(MergingIterator, ErrorWhileTurningSurfaces) {
  const KeyOrder order(BytewiseComparator());
  for (const bool forward_first : {true, false}) {
    Children children;
    children.push_back(NewVectorIterator(order, {{"b", 1, ""}, {"c", 1, ""}}));
    children.push_back(std::make_unique<FailingIterator>(
        NewVectorIterator(order, {{"a", 1, ""}, {"d", 1, ""}}), 1));
    const auto merged = NewMergingIterator(order, std::move(children));
    forward_first ? merged->Seek("b", 1) : merged->SeekForPrev("c", 1);
    ASSERT_TRUE(merged->Valid());
    forward_first ? merged->Prev() : merged->Next();
    EXPECT_FALSE(merged->Valid());
    EXPECT_EQ(merged->status(), absl::DataLossError("block 7"));
  }
}

// Random sources, walked at random and compared with their sorted union.
class MergingIteratorWalk : public testing::TestWithParam<uint64_t> {
 protected:
  std::string DrawKey() {
    // Few letters and lengths about eight, so that abbreviated keys are often equal.
    std::string key(random_.Uniform(3) == 0 ? "" : "prefix_");
    const uint64_t size = random_.Uniform(5);
    for (uint64_t i = 0; i < size; ++i)
      key.push_back(
          "\x00"
          "az\xff"[random_.Uniform(4)]);
    return key;
  }

  // Sources of runs and of scattered entries, all distinct.
  std::vector<Entries> DrawSources(const KeyOrder& order) {
    std::vector<Entries> sources(2 + random_.Uniform(9));
    Trailer trailer = 1;
    const uint64_t count = random_.Uniform(400);
    size_t source = 0;
    for (uint64_t i = 0; i < count; ++i) {
      if (random_.Uniform(2) == 0) source = random_.Uniform(sources.size());
      sources[source].push_back({DrawKey(), trailer++, std::to_string(i)});
    }
    for (Entries& entries : sources) Sort(order, &entries);
    return sources;
  }

  void Walk(const KeyOrder& order) {
    const std::vector<Entries> sources = DrawSources(order);
    Entries all;
    for (const Entries& source : sources) all.insert(all.end(), source.begin(), source.end());
    Sort(order, &all);
    const auto model = NewVectorIterator(order, all);
    const auto merged = Merge(order, sources);
    for (int step = 0; step < 2000; ++step) {
      Step(model.get(), merged.get());
      ASSERT_EQ(Describe(*merged), Describe(*model)) << "step " << step;
    }
  }

  void Step(InternalIterator* model, InternalIterator* merged) {
    const uint64_t choice = random_.Uniform(model->Valid() ? 40 : 4);
    if (choice == 0) {
      model->SeekToFirst(), merged->SeekToFirst();
    } else if (choice == 1) {
      model->SeekToLast(), merged->SeekToLast();
    } else if (choice == 2 || choice == 3) {
      const std::string key = DrawKey();
      const Trailer trailer = random_.Uniform(400);
      choice == 2 ? model->Seek(key, trailer) : model->SeekForPrev(key, trailer);
      choice == 2 ? merged->Seek(key, trailer) : merged->SeekForPrev(key, trailer);
    } else {
      if (random_.Uniform(6) == 0) forward_ = !forward_;
      forward_ ? model->Next() : model->Prev();
      forward_ ? merged->Next() : merged->Prev();
    }
  }

  Random random_{GetParam()};
  bool forward_ = true;
};

TEST_P(MergingIteratorWalk, AgreesWithTheSortedUnion) {
  for (int round = 0; round < 10; ++round) Walk(KeyOrder(BytewiseComparator()));
}

TEST_P(MergingIteratorWalk, AgreesUnderACustomOrder) {
  const Backwards backwards;
  for (int round = 0; round < 10; ++round) Walk(KeyOrder(&backwards));
}

INSTANTIATE_TEST_SUITE_P(Seeds, MergingIteratorWalk, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace cambium
