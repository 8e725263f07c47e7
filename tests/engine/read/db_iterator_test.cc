#include "engine/read/db_iterator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/merging_iterator.h"
#include "tests/support/append_operator.h"
#include "tests/support/vector_iterator.h"
#include "util/random.h"

namespace cambium::engine {
namespace {

using Entries = std::vector<OwnedEntry>;

// ASCII letters order without regard to case: different bytes may be equal.
class NoCase final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    const size_t shorter = std::min(a.size(), b.size());
    for (size_t i = 0; i < shorter; ++i) {
      if (Fold(a[i]) != Fold(b[i])) return Fold(a[i]) - Fold(b[i]);
    }
    return a.size() < b.size() ? -1 : (a.size() > b.size() ? 1 : 0);
  }
  const char* Name() const override { return "no-case"; }

 private:
  static int Fold(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }
};

OwnedEntry Put(std::string key, SequenceNumber sequence, std::string value) {
  return {std::move(key), MakeTrailer(sequence, Kind::kValue), std::move(value)};
}
OwnedEntry Del(std::string key, SequenceNumber sequence) {
  return {std::move(key), MakeTrailer(sequence, Kind::kDelete), ""};
}

// Counts the moves of what it wraps, and fails the move whose number is `fail_at`.
class WatchedIterator final : public InternalIterator {
 public:
  struct Log {
    int steps = 0;
    int seeks = 0;
    int fail_at = -1;
  };

  WatchedIterator(std::unique_ptr<InternalIterator> inner, Log* log)
      : inner_(std::move(inner)), log_(log) {}

  void SeekToFirst() override { inner_->SeekToFirst(), Moved(&log_->seeks); }
  void SeekToLast() override { inner_->SeekToLast(), Moved(&log_->seeks); }
  void Seek(std::string_view key, Trailer trailer) override {
    inner_->Seek(key, trailer), Moved(&log_->seeks);
  }
  void SeekForPrev(std::string_view key, Trailer trailer) override {
    inner_->SeekForPrev(key, trailer), Moved(&log_->seeks);
  }
  void Next() override { inner_->Next(), Moved(&log_->steps); }
  void Prev() override { inner_->Prev(), Moved(&log_->steps); }
  absl::Status status() const override { return status_; }

 private:
  void Moved(int* count) {
    const bool failed = log_->steps + log_->seeks == log_->fail_at;
    ++*count;
    status_ = failed ? absl::DataLossError("block 7") : absl::OkStatus();
    if (failed || !inner_->Valid()) return SetInvalid();
    SetEntry(inner_->key(), inner_->trailer(), inner_->value());
  }

  const std::unique_ptr<InternalIterator> inner_;
  Log* const log_;
  absl::Status status_;
};

DBIteratorArgs Args(Entries entries, SequenceNumber sequence) {
  const KeyOrder order(BytewiseComparator());
  DBIteratorArgs args{.order = order};
  args.input = NewVectorIterator(order, std::move(entries));
  args.sequence = sequence;
  return args;
}
std::unique_ptr<Iterator> Over(Entries entries, SequenceNumber sequence) {
  return NewDBIterator(Args(std::move(entries), sequence));
}

std::string Describe(const Iterator& iterator) {
  if (!iterator.Valid()) return "end: " + iterator.status().ToString();
  return std::string(iterator.key()) + "=" + std::string(iterator.value());
}
std::string Forward(Iterator* iterator) {
  std::string seen;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    seen += Describe(*iterator) + " ";
  }
  return seen;
}
std::string Backward(Iterator* iterator) {
  std::string seen;
  for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) {
    seen += Describe(*iterator) + " ";
  }
  return seen;
}

const Entries& Sample() {
  static const auto& entries =
      *new Entries{Put("a", 40, "a40"), Put("a", 25, "a25"), Put("a", 10, "a10"),
                   Del("b", 28),        Put("b", 5, "b5"),   Put("c", 7, "c7"),
                   Put("d", 50, "d50"), Del("e", 35),        Put("e", 30, "e30")};
  return entries;
}

TEST(DBIterator, ShowsTheNewestVersionThatMayBeSeen) {
  const auto expect = [](SequenceNumber sequence, const std::string& forward,
                         const std::string& backward) {
    const auto iterator = Over(Sample(), sequence);
    EXPECT_EQ(Forward(iterator.get()), forward) << sequence;
    EXPECT_EQ(Backward(iterator.get()), backward) << sequence;
  };
  expect(30, "a=a25 c=c7 e=e30 ", "e=e30 c=c7 a=a25 ");
  expect(60, "a=a40 c=c7 d=d50 ", "d=d50 c=c7 a=a40 ");
  expect(9, "b=b5 c=c7 ", "c=c7 b=b5 ");
  expect(4, "", "");
  expect(kMaxSequenceNumber, "a=a40 c=c7 d=d50 ", "d=d50 c=c7 a=a40 ");
}

TEST(DBIterator, EmptyInputAndEmptyKey) {
  const auto empty = Over({}, 10);
  EXPECT_EQ(Forward(empty.get()), "");
  EXPECT_EQ(Backward(empty.get()), "");
  empty->Seek("x");
  EXPECT_EQ(Describe(*empty), "end: OK");
  const auto one = Over({Put("", 3, ""), Put("a", 4, "1")}, 10);
  EXPECT_EQ(Forward(one.get()), "= a=1 ");
  EXPECT_EQ(Backward(one.get()), "a=1 = ");
  one->SeekForPrev("");
  EXPECT_EQ(Describe(*one), "=");
}

TEST(DBIterator, SequenceZeroIsSeenByAll) {
  const auto iterator =
      Over({Put("a", 0, "0"), {"b", MakeTrailer(0, Kind::kDelete), ""}, Put("c", 0, "0")}, 0);
  EXPECT_EQ(Forward(iterator.get()), "a=0 c=0 ");
  EXPECT_EQ(Backward(iterator.get()), "c=0 a=0 ");
}

TEST(DBIterator, SeeksInsideTheBounds) {
  DBIteratorArgs args = Args(
      {Put("a", 1, "1"), Put("b", 2, "2"), Put("c", 3, "3"), Put("d", 4, "4"), Put("e", 5, "5")},
      10);
  args.lower_bound = "b";
  args.upper_bound = "d";
  const auto iterator = NewDBIterator(std::move(args));
  const auto seek = [&](std::string_view target) {
    iterator->Seek(target);
    return Describe(*iterator);
  };
  const auto seek_for_prev = [&](std::string_view target) {
    iterator->SeekForPrev(target);
    return Describe(*iterator);
  };
  EXPECT_EQ(Forward(iterator.get()), "b=2 c=3 ");
  EXPECT_EQ(Backward(iterator.get()), "c=3 b=2 ");
  EXPECT_EQ(seek("a"), "b=2");
  EXPECT_EQ(seek("bb"), "c=3");
  EXPECT_EQ(seek("d"), "end: OK");
  EXPECT_EQ(seek_for_prev("z"), "c=3");
  EXPECT_EQ(seek_for_prev("d"), "c=3");
  EXPECT_EQ(seek_for_prev("bb"), "b=2");
  EXPECT_EQ(seek_for_prev("a"), "end: OK");
}

TEST(DBIterator, BoundsThatLeaveNothing) {
  for (const auto& [lower, upper] :
       {std::pair<std::string, std::string>{"c", "c"}, {"d", "b"}, {"bb", "bc"}, {"", ""}}) {
    DBIteratorArgs args = Args({Put("a", 1, ""), Put("b", 2, ""), Put("c", 3, "")}, 10);
    args.lower_bound = lower;
    args.upper_bound = upper;
    const auto iterator = NewDBIterator(std::move(args));
    EXPECT_EQ(Forward(iterator.get()), "");
    EXPECT_EQ(Backward(iterator.get()), "");
    iterator->SeekForPrev("c");
    EXPECT_FALSE(iterator->Valid());
    EXPECT_TRUE(iterator->status().ok());
  }
}

TEST(DBIterator, SeekToItsOwnKeyAndValue) {
  const auto iterator = Over(Sample(), 60);
  iterator->SeekToFirst();
  iterator->Next();
  iterator->Seek(iterator->key());
  EXPECT_EQ(Describe(*iterator), "c=c7");
  iterator->SeekForPrev(iterator->key());
  EXPECT_EQ(Describe(*iterator), "c=c7");
  iterator->SeekForPrev(iterator->key().substr(0, 0));
  EXPECT_EQ(Describe(*iterator), "end: OK");
  iterator->SeekToLast();
  iterator->Prev();
  iterator->Seek(iterator->value());  // "c7"
  EXPECT_EQ(Describe(*iterator), "d=d50");
}

TEST(DBIterator, UnknownKindIsUnimplementedUntilTheNextSeek) {
  const auto iterator = Over({Put("a", 1, "1"),
                              {"b", MakeTrailer(9, Kind::kWideColumns), "operand"},
                              Put("b", 2, "2"),
                              Put("c", 3, "3")},
                             10);
  EXPECT_EQ(Forward(iterator.get()), "a=1 ");
  EXPECT_EQ(iterator->status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Backward(iterator.get()), "c=3 ");
  EXPECT_EQ(iterator->status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(iterator->status().message().find("kind 7"), std::string::npos);
  iterator->Seek("c");
  EXPECT_EQ(Describe(*iterator), "c=3");
  EXPECT_TRUE(iterator->status().ok());
  // Where it may not be seen, or is shadowed, it does no harm.
  EXPECT_EQ(
      Forward(Over({{"b", MakeTrailer(9, Kind::kWideColumns), ""}, Put("b", 2, "2")}, 5).get()),
      "b=2 ");
  const Entries shadowed = {Put("b", 12, "3"), {"b", MakeTrailer(9, Kind::kWideColumns), ""}};
  EXPECT_EQ(Forward(Over(shadowed, 20).get()), "b=3 ");
  EXPECT_EQ(Backward(Over(shadowed, 20).get()), "b=3 ");
}

TEST(DBIterator, OperandWithoutAnOperatorIsAFailedPrecondition) {
  const auto iterator = Over({{"b", MakeTrailer(9, Kind::kMerge), "operand"}}, 10);
  iterator->SeekToFirst();
  EXPECT_EQ(iterator->status().code(), absl::StatusCode::kFailedPrecondition);
  iterator->SeekToLast();
  EXPECT_EQ(iterator->status().code(), absl::StatusCode::kFailedPrecondition);
}

// An error of the input between operands is no value of those that were met.
TEST(DBIterator, ErrorBetweenOperandsIsNoValue) {
  Entries entries = {Put("a", 1, "1")};
  for (SequenceNumber sequence = 30; sequence > 1; --sequence) {
    entries.push_back({"b", MakeTrailer(sequence, Kind::kMerge), std::to_string(sequence)});
  }
  entries.push_back(Put("b", 1, "base"));
  entries.push_back(Put("c", 1, "3"));
  const test::AppendOperator append;
  int failed = 0;
  for (int fail_at = 0; fail_at < 100; ++fail_at) {
    for (const bool forward : {true, false}) {
      WatchedIterator::Log log;
      log.fail_at = fail_at;
      DBIteratorArgs args = Args(entries, 40);
      args.merge_operator = &append;
      args.input = std::make_unique<WatchedIterator>(std::move(args.input), &log);
      const auto iterator = NewDBIterator(std::move(args));
      for (forward ? iterator->SeekToFirst() : iterator->SeekToLast(); iterator->Valid();
           forward ? iterator->Next() : iterator->Prev()) {
        if (iterator->key() == "b") {
          EXPECT_TRUE(iterator->value().starts_with("base,2,3,"));
          EXPECT_TRUE(iterator->value().ends_with(",29,30"));
        }
      }
      failed += iterator->status().ok() ? 0 : 1;
    }
  }
  EXPECT_GT(failed, 60);
}

// Equal keys of a custom order: the newest operand that may be seen is the one whose key is shown.
TEST(DBIterator, MergedKeyIsSpeltAsItsNewestOperand) {
  const NoCase no_case;
  const KeyOrder order(&no_case);
  const test::AppendOperator append;
  for (const bool forward : {true, false}) {
    DBIteratorArgs args{.order = order};
    args.input = NewVectorIterator(order, {Put("KEY", 20, "too new"),
                                           {"kEY", MakeTrailer(9, Kind::kMerge), "b"},
                                           {"keY", MakeTrailer(8, Kind::kMerge), "a"},
                                           Put("key", 5, "v")});
    args.sequence = 10;
    args.merge_operator = &append;
    const auto iterator = NewDBIterator(std::move(args));
    forward ? iterator->SeekToFirst() : iterator->SeekToLast();
    EXPECT_EQ(Describe(*iterator), "kEY=v,a,b") << forward;
  }
}

TEST(DBIterator, ForwardScanMovesTheInputOnceAKey) {
  Entries entries;
  for (int i = 0; i < 100; ++i) entries.push_back(Put("key" + std::to_string(1000 + i), 5, "v"));
  WatchedIterator::Log log;
  DBIteratorArgs args = Args(entries, 10);
  args.input = std::make_unique<WatchedIterator>(std::move(args.input), &log);
  const auto iterator = NewDBIterator(std::move(args));
  Forward(iterator.get());
  EXPECT_EQ(log.steps, 100);
  EXPECT_EQ(log.seeks, 1);
}

TEST(DBIterator, PassesManyVersionsBySeeks) {
  Entries entries;
  for (const std::string key : {"a", "b", "c"}) {
    for (SequenceNumber sequence = 10000; sequence > 0; --sequence) {
      entries.push_back(sequence % 2 == 0 ? Put(key, sequence, std::to_string(sequence))
                                          : Del(key, sequence));
    }
  }
  for (const SequenceNumber sequence : {SequenceNumber{5000}, SequenceNumber{20000}}) {
    const std::string value = std::to_string(std::min<SequenceNumber>(sequence, 10000));
    WatchedIterator::Log log;
    DBIteratorArgs args = Args(entries, sequence);
    args.input = std::make_unique<WatchedIterator>(std::move(args.input), &log);
    const auto iterator = NewDBIterator(std::move(args));
    EXPECT_EQ(Forward(iterator.get()), "a=" + value + " b=" + value + " c=" + value + " ");
    EXPECT_EQ(Backward(iterator.get()), "c=" + value + " b=" + value + " a=" + value + " ");
    iterator->Seek("b");
    iterator->Prev();
    EXPECT_EQ(Describe(*iterator), "a=" + value);
    iterator->Next();
    EXPECT_EQ(Describe(*iterator), "b=" + value);
    EXPECT_LT(log.steps + log.seeks, 150);
  }
}

TEST(DBIterator, ErrorOfTheInputSurfacesWhereverItStrikes) {
  const auto walk = [](Iterator* iterator) {
    std::string seen = Forward(iterator);
    if (!iterator->status().ok()) return seen;
    seen += Backward(iterator);
    if (!iterator->status().ok()) return seen;
    iterator->Seek("c");
    if (iterator->Valid()) iterator->Prev();
    if (iterator->Valid()) iterator->Next();
    return seen + Describe(*iterator);
  };
  const std::string whole = walk(Over(Sample(), 30).get());
  int failures = 0;
  for (int fail_at = 0;; ++fail_at) {
    WatchedIterator::Log log;
    log.fail_at = fail_at;
    DBIteratorArgs args = Args(Sample(), 30);
    args.input = std::make_unique<WatchedIterator>(std::move(args.input), &log);
    const auto iterator = NewDBIterator(std::move(args));
    const std::string seen = walk(iterator.get());
    if (fail_at >= log.steps + log.seeks) {
      EXPECT_EQ(seen, whole);
      break;
    }
    ++failures;
    EXPECT_FALSE(iterator->Valid());
    EXPECT_EQ(iterator->status(), absl::DataLossError("block 7")) << fail_at;
    EXPECT_EQ(iterator->status(), absl::DataLossError("block 7"));  // sticky
    // What was shown before the error was right.
    const std::string shown = seen.substr(0, seen.find("end:"));
    EXPECT_EQ(whole.substr(0, shown.size()), shown);
    iterator->SeekToFirst();
    EXPECT_TRUE(iterator->status().ok());
    EXPECT_EQ(Describe(*iterator), "a=a25");
  }
  EXPECT_GT(failures, 20);
}

TEST(DBIterator, LetsGoOfTheInputBeforeThePin) {
  std::string order;
  class Noting final : public InternalIterator {
   public:
    explicit Noting(std::string* log) : log_(log) {}
    ~Noting() override { *log_ += "input "; }
    void SeekToFirst() override {}
    void SeekToLast() override {}
    void Seek(std::string_view, Trailer) override {}
    void SeekForPrev(std::string_view, Trailer) override {}
    void Next() override {}
    void Prev() override {}
    absl::Status status() const override { return absl::OkStatus(); }

   private:
    std::string* const log_;
  };
  DBIteratorArgs args{.order = KeyOrder(BytewiseComparator())};
  args.pin = std::shared_ptr<const int>(new int(1), [&order](const int* pin) {
    delete pin;
    order += "pin";
  });
  args.input = std::make_unique<Noting>(&order);
  NewDBIterator(std::move(args)).reset();
  EXPECT_EQ(order, "input pin");
}

TEST(DBIterator, ShowsTheNewestSpellingUnderACustomOrder) {
  const NoCase no_case;
  const KeyOrder order(&no_case);
  const Entries entries = {Put("KEY", 9, "9"), Put("Key", 5, "5"), Put("key", 2, "2"),
                           Put("lock", 3, "3")};
  for (const auto& [sequence, shown] :
       {std::pair<SequenceNumber, std::string>{10, "KEY=9"}, {6, "Key=5"}, {2, "key=2"}}) {
    DBIteratorArgs args{.order = order};
    args.input = NewVectorIterator(order, entries);
    args.sequence = sequence;
    const auto iterator = NewDBIterator(std::move(args));
    iterator->Seek("kEy");
    EXPECT_EQ(Describe(*iterator), shown);
    iterator->SeekForPrev("kEy");
    EXPECT_EQ(Describe(*iterator), shown);
  }
}

// Random histories, walked at random and compared with a map.
class DBIteratorWalk : public testing::TestWithParam<uint64_t> {
 protected:
  struct Less {
    const Comparator* comparator;
    bool operator()(const std::string& a, const std::string& b) const {
      return comparator->Compare(a, b) < 0;
    }
  };
  using Model = std::map<std::string, std::string, Less>;

  // Keys that are equal in their first eight bytes, in their last eight, or in few.
  std::string DrawKey() {
    static constexpr char kBytes[] = {'\0', 'a', 'B', '\xff'};
    std::string key(random_.Uniform(3) == 0 ? "" : "a longer prefix ");
    const uint64_t size = random_.Uniform(4);
    for (uint64_t i = 0; i < size; ++i) key.push_back(kBytes[random_.Uniform(4)]);
    if (random_.Uniform(3) == 0) key += "a longer suffix";
    return key;
  }

  // A history of writes to few keys: some are written very often.
  Entries DrawHistory(const KeyOrder& order) {
    Entries entries;
    const uint64_t count = random_.Uniform(600);
    for (SequenceNumber sequence = 1; sequence <= count; ++sequence) {
      const std::string key = random_.Uniform(4) == 0 ? "a longer prefix hot" : DrawKey();
      entries.push_back(random_.Uniform(3) == 0 ? Del(key, sequence)
                                                : Put(key, sequence, std::to_string(sequence)));
    }
    std::sort(entries.begin(), entries.end(), [&](const OwnedEntry& a, const OwnedEntry& b) {
      return order.CompareEntries(a.key, a.trailer, b.key, b.trailer) < 0;
    });
    return entries;
  }

  static Model VisibleAt(const DBIteratorArgs& args, const Entries& entries) {
    Model model{Less{args.order.comparator()}};
    Model seen = model;
    for (const OwnedEntry& entry : entries) {
      if (TrailerSequence(entry.trailer) > args.sequence) continue;
      if (!seen.try_emplace(entry.key).second || TrailerKind(entry.trailer) == Kind::kDelete)
        continue;
      if (args.lower_bound && args.order.Less(entry.key, *args.lower_bound)) continue;
      if (args.upper_bound && !args.order.Less(entry.key, *args.upper_bound)) continue;
      model[entry.key] = entry.value;
    }
    return model;
  }

  std::unique_ptr<InternalIterator> DrawInput(const KeyOrder& order, const Entries& entries) {
    std::vector<Entries> sources(1 + random_.Uniform(4));
    for (const OwnedEntry& entry : entries) {
      sources[random_.Uniform(sources.size())].push_back(entry);
    }
    std::vector<std::unique_ptr<InternalIterator>> children;
    for (Entries& source : sources) children.push_back(NewVectorIterator(order, source));
    return NewMergingIterator(order, std::move(children));
  }

  void Walk(const KeyOrder& order) {
    const Entries entries = DrawHistory(order);
    DBIteratorArgs args{.order = order};
    args.input = DrawInput(order, entries);
    args.sequence =
        random_.Uniform(2) == 0 ? kMaxSequenceNumber : random_.Uniform(entries.size() + 2);
    if (random_.Uniform(3) == 0) args.lower_bound = DrawKey();
    if (random_.Uniform(3) == 0) args.upper_bound = DrawKey();
    const Model model = VisibleAt(args, entries);
    const auto iterator = NewDBIterator(std::move(args));
    auto at = model.end();
    for (int step = 0; step < 500; ++step) {
      at = Step(model, at, iterator.get());
      ASSERT_EQ(Describe(*iterator), at == model.end() ? "end: OK" : at->first + "=" + at->second)
          << "step " << step;
    }
  }

  // The same random move of both.
  Model::const_iterator Step(const Model& model, Model::const_iterator at, Iterator* iterator) {
    const auto before = [&model](Model::const_iterator position) {
      return position == model.begin() ? model.end() : std::prev(position);
    };
    const uint64_t choice = random_.Uniform(at != model.end() ? 40 : 4);
    const std::string target = DrawKey();
    switch (choice) {
      case 0:
        iterator->SeekToFirst();
        return model.begin();
      case 1:
        iterator->SeekToLast();
        return before(model.end());
      case 2:
        iterator->Seek(target);
        return model.lower_bound(target);
      case 3:
        iterator->SeekForPrev(target);
        return before(model.upper_bound(target));
      default:
        if (random_.Uniform(5) == 0) forward_ = !forward_;
        forward_ ? iterator->Next() : iterator->Prev();
        return forward_ ? std::next(at) : before(at);
    }
  }

  Random random_{GetParam()};
  bool forward_ = true;
};

TEST_P(DBIteratorWalk, AgreesWithAMap) {
  for (int round = 0; round < 20; ++round) Walk(KeyOrder(BytewiseComparator()));
}

TEST_P(DBIteratorWalk, AgreesUnderACustomOrder) {
  const NoCase no_case;
  for (int round = 0; round < 10; ++round) Walk(KeyOrder(&no_case));
}

INSTANTIATE_TEST_SUITE_P(Seeds, DBIteratorWalk, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace cambium::engine
