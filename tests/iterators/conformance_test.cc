// What holds for every iterator, whatever it walks over.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/iterators/subjects.h"
#include "tests/support/status_test.h"
#include "util/random.h"

namespace cambium::test {
namespace {

constexpr Trailer kNewest = UINT64_MAX;

KeyOrder Order() { return KeyOrder(BytewiseComparator()); }

bool EntryBefore(const OwnedEntry& a, const OwnedEntry& b) {
  return Order().CompareEntries(a.key, a.trailer, b.key, b.trailer) < 0;
}

std::string Describe(const std::optional<OwnedEntry>& entry) {
  if (!entry.has_value()) return "nothing";
  return absl::StrCat("\"", absl::CHexEscape(entry->key.substr(0, 40)), "\"@", entry->trailer,
                      " = ", entry->value.substr(0, 20));
}

struct Shape {
  std::string name;
  std::vector<OwnedEntry> entries;
};

// Sorts the keys, and gives each as many versions as it occurs.
Shape MakeShape(std::string name, std::vector<std::string> keys) {
  Shape shape{std::move(name), {}};
  for (size_t i = 0; i < keys.size(); ++i) {
    // One of nine is a deletion.
    const bool deleted = i % 9 == 4;
    const Trailer trailer = MakeTrailer(i + 1, deleted ? Kind::kDelete : Kind::kValue);
    shape.entries.push_back({std::move(keys[i]), trailer, deleted ? "" : absl::StrCat("value", i)});
  }
  std::sort(shape.entries.begin(), shape.entries.end(), EntryBefore);
  return shape;
}

std::vector<Shape> AllShapes() {
  std::vector<Shape> shapes;
  shapes.push_back(MakeShape("empty", {}));
  shapes.push_back(MakeShape("one entry", {"key"}));
  shapes.push_back(MakeShape("the empty key", {""}));
  shapes.push_back(MakeShape("the empty key before others", {"", "a", "", "b"}));
  std::vector<std::string> keys(300, "key");
  keys.push_back("before");
  keys.push_back("last");
  shapes.push_back(MakeShape("many versions of one key", keys));
  keys.clear();
  for (int i = 0; i < 120; ++i) {
    keys.push_back(absl::StrCat("equally long prefix", i % 40, i % 3 == 0 ? "" : "suffix"));
  }
  shapes.push_back(MakeShape("equal prefixes", keys));
  keys.clear();
  for (int i = 0; i < 60; ++i) {
    keys.push_back(std::string(static_cast<size_t>(i % 12), i % 2 == 0 ? '\0' : '\xff'));
    keys.push_back(absl::StrCat("k", std::string(static_cast<size_t>(i % 5), '\0')));
  }
  shapes.push_back(MakeShape("zeros and 0xff", keys));
  keys.clear();
  for (int i = 0; i < 40; ++i) {
    keys.push_back(absl::StrCat(std::string(static_cast<size_t>(50 * i), 'x'), i));
  }
  shapes.push_back(MakeShape("long keys", keys));
  keys.clear();
  Random random(11);
  for (int i = 0; i < 400; ++i) {
    std::string key;
    for (uint64_t length = random.Uniform(10); length > 0; --length) {
      key.push_back(static_cast<char>('a' + random.Uniform(3)));
    }
    keys.push_back(std::move(key));
  }
  shapes.push_back(MakeShape("few letters", keys));
  return shapes;
}

// A cursor, and beside it the place among the entries where it must be. Confined to one test.
class Checked {
 public:
  Checked(Subject* subject, const std::vector<OwnedEntry>& entries)
      : cursor_(subject->NewCursor()), entries_(entries) {}

  void SeekToFirst() {
    cursor_->SeekToFirst();
    Check("SeekToFirst", 0);
  }
  void SeekToLast() {
    cursor_->SeekToLast();
    Check("SeekToLast", entries_.size() - 1);
  }
  void Seek(const std::string& key, Trailer trailer) {
    cursor_->Seek(key, trailer);
    Check("Seek to " + Describe(OwnedEntry{key, trailer, ""}), CountBefore({key, trailer, ""}));
  }
  void SeekForPrev(const std::string& key, Trailer trailer) {
    cursor_->SeekForPrev(key, trailer);
    const OwnedEntry target{key, trailer, ""};
    size_t at = CountBefore(target);
    const bool found = at < entries_.size() && !EntryBefore(target, entries_[at]);
    Check("SeekForPrev to " + Describe(target), found ? at : at - 1);
  }
  void Next() {
    cursor_->Next();
    Check("Next", at_ + 1);
  }
  void Prev() {
    cursor_->Prev();
    Check("Prev", at_ - 1);
  }
  bool valid() const { return at_ < entries_.size(); }

 private:
  size_t CountBefore(const OwnedEntry& target) const {
    return static_cast<size_t>(
        std::lower_bound(entries_.begin(), entries_.end(), target, EntryBefore) - entries_.begin());
  }
  // One before the first wraps around, and is as much outside as one after the last.
  void Check(const std::string& what, size_t at) {
    at_ = at;
    const std::optional<OwnedEntry> here = cursor_->Here();
    const std::optional<OwnedEntry> expected = valid() ? std::optional(entries_[at]) : std::nullopt;
    EXPECT_EQ(Describe(here), Describe(expected)) << "after " << what << ", place " << at;
    if (here.has_value() && expected.has_value()) {
      EXPECT_EQ(here->value, expected->value);
    }
    CAMBIUM_EXPECT_OK(cursor_->status());
  }

  const std::unique_ptr<Cursor> cursor_;
  const std::vector<OwnedEntry>& entries_;
  size_t at_ = 0;
};

class IteratorConformance : public testing::TestWithParam<SubjectKind> {
 protected:
  // Calls check(cursor, entries) with a subject of each shape.
  template <typename Check>
  void ForEachShape(const Check& check) {
    for (Shape& shape : AllShapes()) {
      SCOPED_TRACE(shape.name);
      const std::unique_ptr<Subject> subject = GetParam().make();
      if (shape.entries.empty() && !subject->may_be_empty()) continue;
      const std::vector<OwnedEntry> visible = subject->VisibleEntries(shape.entries);
      shows_versions_ = subject->shows_versions();
      subject->Fill(std::move(shape.entries));
      Checked cursor(subject.get(), visible);
      check(&cursor, visible);
      if (HasFailure()) return;
    }
  }
  // Returns the same target for Seek and for SeekForPrev, if trailers do not distinguish versions.
  Trailer ForSeek(Trailer trailer) const { return shows_versions_ ? trailer : kNewest; }
  Trailer ForSeekForPrev(Trailer trailer) const { return shows_versions_ ? trailer : 0; }
  void SeekBothWays(const std::string& key, Trailer trailer, Checked* cursor) const {
    cursor->Seek(key, ForSeek(trailer));
    cursor->SeekForPrev(key, ForSeekForPrev(trailer));
  }

  bool shows_versions_ = true;
};

TEST_P(IteratorConformance, WalksToBothEndsAndIsUsableAfterThem) {
  ForEachShape([](Checked* cursor, const std::vector<OwnedEntry>& entries) {
    for (int round = 0; round < 2; ++round) {
      size_t steps = 0;
      for (cursor->SeekToFirst(); cursor->valid(); cursor->Next()) ++steps;
      EXPECT_EQ(steps, entries.size());
      steps = 0;
      for (cursor->SeekToLast(); cursor->valid(); cursor->Prev()) ++steps;
      EXPECT_EQ(steps, entries.size());
    }
  });
}

TEST_P(IteratorConformance, SeeksToBetweenAndBeyondEntries) {
  ForEachShape([this](Checked* cursor, const std::vector<OwnedEntry>& entries) {
    SeekBothWays("", kNewest, cursor);
    SeekBothWays("", 0, cursor);
    SeekBothWays(std::string(3000, '\xff'), kNewest, cursor);
    SeekBothWays(std::string(3000, '\xff'), 0, cursor);
    for (const OwnedEntry& entry : entries) {
      for (const Trailer trailer :
           {kNewest, entry.trailer + 1, entry.trailer, entry.trailer - 1, Trailer{0}}) {
        SeekBothWays(entry.key, trailer, cursor);
      }
      SeekBothWays(entry.key + '\0', kNewest, cursor);
      SeekBothWays(entry.key + "~", 5, cursor);
      if (!entry.key.empty()) SeekBothWays(entry.key.substr(0, entry.key.size() - 1), 7, cursor);
    }
  });
}

TEST_P(IteratorConformance, TurnsAroundAtEveryEntry) {
  ForEachShape([this](Checked* cursor, const std::vector<OwnedEntry>& entries) {
    for (const OwnedEntry& entry : entries) {
      cursor->Seek(entry.key, ForSeek(entry.trailer));
      cursor->Next();
      if (cursor->valid()) cursor->Prev();
      cursor->SeekForPrev(entry.key, ForSeekForPrev(entry.trailer));
      cursor->Prev();
      if (cursor->valid()) cursor->Next();
      if (cursor->valid()) cursor->Next();
      if (cursor->valid()) cursor->Prev();
    }
  });
}

TEST_P(IteratorConformance, WalksAtRandom) {
  ForEachShape([this](Checked* cursor, const std::vector<OwnedEntry>& entries) {
    if (entries.empty()) return;
    Random random(23);
    cursor->SeekToFirst();
    for (int step = 0; step < 3000 && !HasFailure(); ++step) {
      const uint64_t draw = random.Uniform(20);
      const OwnedEntry& target = entries[random.Uniform(entries.size())];
      if (draw == 0) {
        cursor->SeekToFirst();
      } else if (draw == 1) {
        cursor->SeekToLast();
      } else if (draw == 2 || !cursor->valid()) {
        cursor->Seek(target.key, ForSeek(target.trailer));
      } else if (draw == 3) {
        cursor->SeekForPrev(target.key, ForSeekForPrev(target.trailer));
      } else if (draw < 13) {
        cursor->Next();
      } else {
        cursor->Prev();
      }
    }
  });
}

// An error ends the iteration at its place: no entry is skipped, and status() returns the error.
// The entries before it, in either direction, are those of the model.
TEST_P(IteratorConformance, EndsAtAnErrorAndReportsIt) {
  std::vector<std::string> keys;
  for (int i = 1000; i < 1600; ++i) keys.push_back(absl::StrCat("key", i));
  Shape shape = MakeShape("long enough for several blocks", std::move(keys));
  for (OwnedEntry& entry : shape.entries) {
    if (!entry.value.empty()) entry.value.resize(200, 'v');
  }
  const std::unique_ptr<Subject> subject = GetParam().make();
  const std::vector<OwnedEntry> visible = subject->VisibleEntries(shape.entries);
  subject->Fill(std::move(shape.entries));
  if (!subject->Break()) GTEST_SKIP() << "it reads no file";
  const std::unique_ptr<Cursor> cursor = subject->NewCursor();
  size_t before = 0, after = 0;
  for (cursor->SeekToFirst(); const auto here = cursor->Here(); cursor->Next()) {
    ASSERT_LT(before, visible.size());
    ASSERT_EQ(Describe(here), Describe(visible[before++]));
  }
  CAMBIUM_EXPECT_CODE(cursor->status(), kDataLoss);
  for (cursor->SeekToLast(); const auto here = cursor->Here(); cursor->Prev()) {
    ASSERT_LT(after, visible.size());
    ASSERT_EQ(Describe(here), Describe(visible[visible.size() - ++after]));
  }
  CAMBIUM_EXPECT_CODE(cursor->status(), kDataLoss);
  EXPECT_GT(before, 0u);
  EXPECT_GT(after, 0u);
  EXPECT_LT(before + after, visible.size());
  // A seek past the damage works again.
  cursor->Seek(visible.back().key, ForSeek(visible.back().trailer));
  EXPECT_EQ(Describe(cursor->Here()), Describe(visible.back()));
  CAMBIUM_EXPECT_OK(cursor->status());
}

INSTANTIATE_TEST_SUITE_P(All, IteratorConformance, testing::ValuesIn(AllSubjects()),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace cambium::test
