#include "compaction/run_iterator.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/manifest/manifest_test_util.h"
#include "tests/support/vector_iterator.h"

namespace cambium::compaction {
namespace {

using manifest::Bytewise;
using manifest::FileMetadata;
using manifest::FileRef;

// Tables in memory, counted as they are opened.
class Tables {
 public:
  void Add(std::vector<OwnedEntry> entries) {
    auto file = std::make_shared<FileMetadata>();
    file->number = FileNumber{files_.size() + 1};
    file->smallest_key = entries.front().key;
    file->largest_key = entries.back().key;
    tables_[file->number] = std::move(entries);
    files_.push_back(std::move(file));
  }

  std::unique_ptr<InternalIterator> NewIterator() {
    RunSource source;
    source.files = files_;
    source.open = [this](size_t index) -> absl::StatusOr<std::unique_ptr<InternalIterator>> {
      ++opened_;
      if (files_[index]->number == broken_) return absl::DataLossError("broken table");
      return NewVectorIterator(Bytewise(), tables_.at(files_[index]->number));
    };
    source.on_error = [this](size_t index, const absl::Status& error) {
      EXPECT_TRUE(absl::IsDataLoss(error)) << error;
      reported_ = files_[index]->number;
    };
    return NewRunIterator(Bytewise(), std::move(source));
  }

  void Break(FileNumber number) { broken_ = number; }
  int opened() const { return opened_; }
  FileNumber reported() const { return reported_; }

 private:
  std::vector<FileRef> files_;
  std::map<FileNumber, std::vector<OwnedEntry>> tables_;
  FileNumber broken_{0};
  FileNumber reported_{0};
  int opened_ = 0;
};

std::string Position(const InternalIterator& it) {
  if (!it.Valid()) return it.status().ok() ? "end" : "error";
  return absl::StrCat(std::string(it.key()), "@", TrailerSequence(it.trailer()));
}

OwnedEntry Entry(std::string key, SequenceNumber sequence) {
  std::string value = "value of " + key;
  return {std::move(key), MakeTrailer(sequence, Kind::kValue), std::move(value)};
}

void FillAbcdef(Tables* tables) {
  tables->Add({Entry("a", 9), Entry("a", 5), Entry("b", 3)});
  tables->Add({Entry("d", 4)});
  tables->Add({Entry("f", 8), Entry("g", 2)});
}

TEST(RunIterator, IsEmptyWithoutFiles) {
  Tables tables;
  const auto it = tables.NewIterator();
  it->SeekToFirst();
  EXPECT_EQ(Position(*it), "end");
  it->SeekToLast();
  EXPECT_EQ(Position(*it), "end");
  it->Seek("a", SeekTrailer(1));
  EXPECT_EQ(Position(*it), "end");
  it->SeekForPrev("a", 0);
  EXPECT_EQ(Position(*it), "end");
}

TEST(RunIterator, WalksInBothDirections) {
  Tables tables;
  FillAbcdef(&tables);
  const auto it = tables.NewIterator();
  std::string text;
  for (it->SeekToFirst(); it->Valid(); it->Next()) text += Position(*it) + " ";
  EXPECT_EQ(text, "a@9 a@5 b@3 d@4 f@8 g@2 ");
  text.clear();
  for (it->SeekToLast(); it->Valid(); it->Prev()) text += Position(*it) + " ";
  EXPECT_EQ(text, "g@2 f@8 d@4 b@3 a@5 a@9 ");
  EXPECT_TRUE(it->status().ok());
}

TEST(RunIterator, SeeksIntoAndBetweenFiles) {
  Tables tables;
  FillAbcdef(&tables);
  const auto it = tables.NewIterator();
  const auto seek = [&it](std::string_view key, SequenceNumber sequence) {
    it->Seek(key, SeekTrailer(sequence));
    return Position(*it);
  };
  const auto back = [&it](std::string_view key, SequenceNumber sequence) {
    it->SeekForPrev(key, MakeTrailer(sequence, Kind::kDelete));
    return Position(*it);
  };
  EXPECT_EQ(seek("", 100), "a@9");
  EXPECT_EQ(seek("a", 8), "a@5");
  EXPECT_EQ(seek("b", 2), "d@4");
  EXPECT_EQ(seek("c", 100), "d@4");
  EXPECT_EQ(seek("e", 100), "f@8");
  EXPECT_EQ(seek("h", 100), "end");
  EXPECT_EQ(back("", 0), "end");
  EXPECT_EQ(back("a", 10), "end");
  EXPECT_EQ(back("a", 9), "a@9");
  EXPECT_EQ(back("a", 0), "a@5");
  EXPECT_EQ(back("d", 5), "b@3");
  EXPECT_EQ(back("e", 0), "d@4");
  EXPECT_EQ(back("z", 0), "g@2");
}

TEST(RunIterator, OpensATableOnlyWhenItGetsThere) {
  Tables tables;
  FillAbcdef(&tables);
  const auto it = tables.NewIterator();
  EXPECT_EQ(tables.opened(), 0);
  it->Seek("d", SeekTrailer(100));
  EXPECT_EQ(tables.opened(), 1);
  it->Seek("d", SeekTrailer(100));
  EXPECT_EQ(tables.opened(), 1);
  it->Next();
  EXPECT_EQ(tables.opened(), 2);
}

TEST(RunIterator, StopsAtATableThatDoesNotOpen) {
  Tables tables;
  FillAbcdef(&tables);
  tables.Break(FileNumber{2});
  const auto it = tables.NewIterator();
  it->Seek("b", SeekTrailer(100));
  ASSERT_TRUE(it->Valid());
  it->Next();
  EXPECT_EQ(Position(*it), "error");
  EXPECT_TRUE(absl::IsDataLoss(it->status()));
  it->SeekToLast();  // a search elsewhere goes on
  EXPECT_EQ(Position(*it), "g@2");
  it->Prev();
  it->Prev();
  EXPECT_EQ(Position(*it), "error");
}

TEST(RunIterator, MovesAsOneSortedSequenceDoes) {
  std::mt19937 random(7);
  std::vector<OwnedEntry> all;
  Tables tables;
  std::vector<OwnedEntry> file;
  for (int key = 0; key < 100; ++key) {
    for (SequenceNumber sequence = 1 + random() % 4; sequence > 0; --sequence) {
      file.push_back(Entry(absl::StrCat(1000 + key * 2), sequence));
    }
    if (random() % 5 == 0 || key == 99) {
      all.insert(all.end(), file.begin(), file.end());
      tables.Add(std::move(file));
      file.clear();
    }
  }
  const auto it = tables.NewIterator();
  const auto expected = NewVectorIterator(Bytewise(), all);
  it->SeekToFirst();
  expected->SeekToFirst();
  for (int step = 0; step < 20'000; ++step) {
    const uint32_t move = random() % 20;
    const std::string key = absl::StrCat(998 + random() % 204);
    const Trailer trailer = MakeTrailer(random() % 6, Kind::kValue);
    for (InternalIterator* i : {it.get(), expected.get()}) {
      if (move == 0) i->Seek(key, trailer);
      if (move == 1) i->SeekForPrev(key, trailer);
      if (move == 2) i->SeekToFirst();
      if (move == 3) i->SeekToLast();
      if (move >= 4 && move < 12 && i->Valid()) i->Next();
      if (move >= 12 && i->Valid()) i->Prev();
    }
    ASSERT_EQ(Position(*it), Position(*expected)) << step;
    if (!it->Valid()) continue;
    ASSERT_EQ(it->value(), expected->value());
  }
}

}  // namespace
}  // namespace cambium::compaction
