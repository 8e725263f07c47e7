#include "tests/iterators/subjects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "base/merging_iterator.h"
#include "cambium/db.h"
#include "compaction/run_iterator.h"
#include "engine/read/undeleted_iterator.h"
#include "env/testing/inline_executor.h"
#include "env/testing/mem_file_system.h"
#include "memtable/memtable.h"
#include "sstable/block/block_builder.h"
#include "tests/sstable/table_support.h"
#include "tests/support/status_test.h"

namespace cambium::test {
namespace {

KeyOrder Order() { return KeyOrder(BytewiseComparator()); }

// Any internal iterator.
class InternalCursor final : public Cursor {
 public:
  explicit InternalCursor(std::unique_ptr<InternalIterator> it) : it_(std::move(it)) {}

  void SeekToFirst() override { it_->SeekToFirst(); }
  void SeekToLast() override { it_->SeekToLast(); }
  void Seek(std::string_view key, Trailer trailer) override { it_->Seek(key, trailer); }
  void SeekForPrev(std::string_view key, Trailer trailer) override {
    it_->SeekForPrev(key, trailer);
  }
  void Next() override { it_->Next(); }
  void Prev() override { it_->Prev(); }
  std::optional<OwnedEntry> Here() const override {
    if (!it_->Valid()) return std::nullopt;
    return OwnedEntry{std::string(it_->key()), it_->trailer(), std::string(it_->value())};
  }
  absl::Status status() const override { return it_->status(); }

 private:
  const std::unique_ptr<InternalIterator> it_;
};

std::unique_ptr<Cursor> CursorOver(std::unique_ptr<InternalIterator> it) {
  return std::make_unique<InternalCursor>(std::move(it));
}

// Entries of which those from one place on cannot be read, from either side.
class TornIterator final : public InternalIterator {
 public:
  TornIterator(std::vector<OwnedEntry> entries, size_t unreadable)
      : unreadable_(entries[unreadable].key), it_(Order(), std::move(entries)) {}

  void SeekToFirst() override {
    Settle([this] { it_.SeekToFirst(); });
  }
  void SeekToLast() override {
    Settle([this] { it_.SeekToLast(); });
  }
  void Seek(std::string_view key, Trailer trailer) override {
    Settle([&] { it_.Seek(key, trailer); });
  }
  void SeekForPrev(std::string_view key, Trailer trailer) override {
    Settle([&] { it_.SeekForPrev(key, trailer); });
  }
  void Next() override {
    Settle([this] { it_.Next(); });
  }
  void Prev() override {
    Settle([this] { it_.Prev(); });
  }
  absl::Status status() const override { return status_; }

 private:
  template <typename Move>
  void Settle(const Move& move) {
    move();
    status_ = absl::OkStatus();
    if (!it_.Valid()) return SetInvalid();
    if (it_.key() == unreadable_) {
      status_ = absl::DataLossError("torn");
      return SetInvalid();
    }
    SetEntry(it_.key(), it_.trailer(), it_.value());
  }

  const std::string unreadable_;
  VectorIterator it_;
  absl::Status status_;
};

class BlockSubject final : public Subject {
 public:
  void Fill(std::vector<OwnedEntry> entries) override {
    sstable::BlockBuilder builder(Order());
    for (const OwnedEntry& entry : entries) {
      builder.Add(entry.key, entry.trailer, entry.value, HashKey(entry.key));
    }
    bytes_ = builder.Finish();
  }
  std::unique_ptr<Cursor> NewCursor() override {
    const auto block = sstable::Block::Parse(bytes_);
    CAMBIUM_EXPECT_OK(block);
    auto it = std::make_unique<sstable::BlockIterator>(Order());
    it->SetBlock(*block);
    return CursorOver(std::move(it));
  }
  bool may_be_empty() const override { return false; }

 private:
  std::string bytes_;
};

class TableSubject final : public Subject {
 public:
  TableSubject() { table_.options().block_size = 300; }
  void Fill(std::vector<OwnedEntry> entries) override {
    CAMBIUM_ASSERT_OK(table_.Write(entries));
    Open();
  }
  std::unique_ptr<Cursor> NewCursor() override { return CursorOver(reader_->NewIterator({})); }
  bool Break() override {
    reader_ = nullptr;  // takes its blocks out of the cache
    std::string bytes = table_.Bytes();
    bytes[bytes.size() * 2 / 5] = static_cast<char>(~bytes[bytes.size() * 2 / 5]);
    table_.Overwrite(bytes);
    Open();
    return true;
  }
  bool may_be_empty() const override { return false; }

 private:
  void Open() {
    auto reader = table_.Open();
    CAMBIUM_ASSERT_OK(reader);
    reader_ = *std::move(reader);
  }

  sstable::TestTable table_;
  std::unique_ptr<sstable::TableReader> reader_;
};

// Files of a few keys each, with all versions of a key in one.
class RunSubject final : public Subject {
 public:
  void Fill(std::vector<OwnedEntry> entries) override {
    for (OwnedEntry& entry : entries) {
      const bool same_key = !tables_.empty() && tables_.back().back().key == entry.key;
      if (!same_key && (tables_.empty() || tables_.back().size() >= 5)) tables_.emplace_back();
      tables_.back().push_back(std::move(entry));
    }
    for (const auto& table : tables_) {
      auto file = std::make_shared<manifest::FileMetadata>();
      file->smallest_key = table.front().key;
      file->largest_key = table.back().key;
      files_.push_back(std::move(file));
    }
  }
  std::unique_ptr<Cursor> NewCursor() override {
    compaction::RunSource source;
    source.files = files_;
    source.open = [this](size_t index) -> absl::StatusOr<std::unique_ptr<InternalIterator>> {
      if (index == broken_) return absl::DataLossError("broken");
      return NewVectorIterator(Order(), tables_[index]);
    };
    return CursorOver(compaction::NewRunIterator(Order(), std::move(source)));
  }
  bool Break() override {
    broken_ = tables_.size() / 2;
    return true;
  }

 private:
  std::vector<std::vector<OwnedEntry>> tables_;
  std::vector<manifest::FileRef> files_;
  size_t broken_ = SIZE_MAX;
};

class MemTableSubject final : public Subject {
 public:
  void Fill(std::vector<OwnedEntry> entries) override {
    // Not in their order, but each key's versions as they come in a database: oldest first.
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.trailer < b.trailer; });
    for (const OwnedEntry& entry : entries) {
      memtable_.Add(entry.key, entry.trailer, entry.value, HashKey(entry.key));
    }
  }
  std::unique_ptr<Cursor> NewCursor() override { return CursorOver(memtable_.NewIterator()); }

 private:
  static constexpr size_t kCapacity = size_t{1} << 20;

  ChunkPool pool_{memtable::MemTable::ChunkBytesFor(kCapacity), kCapacity};
  memtable::MemTable memtable_{Order(), &pool_, kCapacity};
};

// Entries dealt out to three children and an empty one.
class MergeSubject final : public Subject {
 public:
  void Fill(std::vector<OwnedEntry> entries) override {
    children_.resize(4);
    for (size_t i = 0; i < entries.size(); ++i) {
      children_[i * 7 % 3].push_back(std::move(entries[i]));
    }
  }
  std::unique_ptr<Cursor> NewCursor() override {
    std::vector<std::unique_ptr<InternalIterator>> children;
    for (const auto& entries : children_) {
      if (broken_ && children.size() == 1) {
        children.push_back(std::make_unique<TornIterator>(entries, entries.size() / 2));
      } else {
        children.push_back(NewVectorIterator(Order(), entries));
      }
    }
    return CursorOver(NewMergingIterator(Order(), std::move(children)));
  }
  bool Break() override { return broken_ = true; }

 private:
  std::vector<std::vector<OwnedEntry>> children_;
  bool broken_ = false;
};

// Entries among others that range tombstones cover: of a newer source, whole ranges, and of the
// same source, older versions.
class UndeletedSubject final : public Subject {
 public:
  void Fill(std::vector<OwnedEntry> entries) override {
    std::vector<RangeTombstone> newer, own;
    std::vector<OwnedEntry> covered;
    keys_.reserve(2 * entries.size());  // the tombstones refer to them
    for (const OwnedEntry& entry : entries) {
      const auto add = [&](std::string_view suffix, std::vector<RangeTombstone>* tombstones) {
        const std::string& key = keys_.emplace_back(absl::StrCat(entry.key, std::string(suffix)));
        const bool taken = std::any_of(entries.begin(), entries.end(),
                                       [&](const auto& other) { return other.key == key; });
        if (taken) return;
        covered.push_back({key, MakeTrailer(5, Kind::kValue), "covered"});
        tombstones->push_back({KeyCut::Before(key), KeyCut::After(key), kMaxSequenceNumber});
      };
      add(std::string_view("\0x", 2), &newer);
      add("!", &own);
    }
    const auto before = [](const OwnedEntry& a, const OwnedEntry& b) {
      return Order().CompareEntries(a.key, a.trailer, b.key, b.trailer) < 0;
    };
    entries.insert(entries.end(), covered.begin(), covered.end());
    std::sort(entries.begin(), entries.end(), before);
    entries.erase(std::unique(entries.begin(), entries.end(),
                              [](const auto& a, const auto& b) {
                                return a.key == b.key && a.trailer == b.trailer;
                              }),
                  entries.end());
    entries_ = std::move(entries);
    newer_ = std::make_shared<const TombstoneIndex>(Order(), newer);
    own_ = std::make_shared<const TombstoneIndex>(Order(), own);
  }
  std::unique_ptr<Cursor> NewCursor() override {
    engine::ConcernedBy tombstones;
    tombstones.newer.push_back(engine::NewIndexCursor(newer_, kMaxSequenceNumber));
    tombstones.own.push_back(engine::NewIndexCursor(own_, kMaxSequenceNumber));
    return CursorOver(engine::NewUndeletedIterator(Order(), NewVectorIterator(Order(), entries_),
                                                   std::move(tombstones)));
  }

 private:
  std::vector<std::string> keys_;
  std::vector<OwnedEntry> entries_;
  std::shared_ptr<const TombstoneIndex> newer_, own_;
};

// The user's iterator: the newest version of each key that is not deleted. The older half of the
// entries is in tables, the newer one in the memtable.
class DBSubject final : public Subject {
 public:
  DBSubject() {
    options_.memory_budget = size_t{1} << 20;
    options_.compression = Compression::kNone;
    options_.file_system = disk_;
    options_.executor = std::make_shared<env::InlineExecutor>(1);
    Open();
  }
  void Fill(std::vector<OwnedEntry> entries) override {
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return TrailerSequence(a.trailer) < TrailerSequence(b.trailer);
    });
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i == entries.size() / 2) {
        CAMBIUM_ASSERT_OK(db_->CompactRange(std::nullopt, std::nullopt));
      }
      const OwnedEntry& entry = entries[i];
      CAMBIUM_ASSERT_OK(TrailerKind(entry.trailer) == Kind::kDelete
                            ? db_->Delete(entry.key)
                            : db_->Put(entry.key, entry.value));
    }
  }
  std::unique_ptr<Cursor> NewCursor() override {
    return std::make_unique<DBCursor>(db_->NewIterator());
  }
  bool Break() override {
    EXPECT_TRUE(db_->CompactRange(std::nullopt, std::nullopt).ok());
    EXPECT_TRUE(db_->Close().ok());
    const auto names = disk_->ListDirectory("db");
    EXPECT_TRUE(names.ok());
    for (const std::string& name : *names) {
      const auto file = ParseFileName(name);
      if (!file.has_value() || file->type != FileType::kTable) continue;
      Damage(JoinPath("db", name));
    }
    Open();
    return true;
  }
  std::vector<OwnedEntry> VisibleEntries(std::vector<OwnedEntry> entries) const override {
    std::vector<OwnedEntry> visible;
    const std::string* last = nullptr;
    for (OwnedEntry& entry : entries) {
      const bool newest = last == nullptr || *last != entry.key;
      last = &entry.key;
      if (!newest || TrailerKind(entry.trailer) == Kind::kDelete) continue;
      visible.push_back({entry.key, 0, entry.value});
    }
    return visible;
  }
  bool shows_versions() const override { return false; }

 private:
  class DBCursor final : public Cursor {
   public:
    explicit DBCursor(std::unique_ptr<Iterator> it) : it_(std::move(it)) {}

    void SeekToFirst() override { it_->SeekToFirst(); }
    void SeekToLast() override { it_->SeekToLast(); }
    void Seek(std::string_view key, Trailer) override { it_->Seek(key); }
    void SeekForPrev(std::string_view key, Trailer) override { it_->SeekForPrev(key); }
    void Next() override { it_->Next(); }
    void Prev() override { it_->Prev(); }
    std::optional<OwnedEntry> Here() const override {
      if (!it_->Valid()) return std::nullopt;
      return OwnedEntry{std::string(it_->key()), 0, std::string(it_->value())};
    }
    absl::Status status() const override { return it_->status(); }

   private:
    const std::unique_ptr<Iterator> it_;
  };

  void Open() {
    auto db = DB::Open(options_, "db");
    CAMBIUM_ASSERT_OK(db);
    db_ = *std::move(db);
  }
  // Turns a byte over, two fifths into the file.
  void Damage(const std::string& path) {
    const auto file = disk_->OpenRandomAccess(path);
    CAMBIUM_ASSERT_OK(file);
    std::string bytes((*file)->Size().value(), '\0');
    ReadRequest request;
    request.buffer = bytes.data();
    request.size = bytes.size();
    (*file)->Read({&request, 1});
    CAMBIUM_ASSERT_OK(request.status);
    bytes[bytes.size() * 2 / 5] = static_cast<char>(~bytes[bytes.size() * 2 / 5]);
    CAMBIUM_ASSERT_OK(disk_->Remove(path));
    const auto damaged = disk_->CreateWritable(path);
    CAMBIUM_ASSERT_OK(damaged);
    CAMBIUM_ASSERT_OK((*damaged)->Append(bytes));
    CAMBIUM_ASSERT_OK((*damaged)->Sync());
    CAMBIUM_ASSERT_OK((*damaged)->Close());
  }

  const std::shared_ptr<env::MemFileSystem> disk_ = std::make_shared<env::MemFileSystem>();
  Options options_;
  std::unique_ptr<DB> db_;
};

template <typename T>
std::unique_ptr<Subject> Make() {
  return std::make_unique<T>();
}

}  // namespace

const std::vector<SubjectKind>& AllSubjects() {
  static const std::vector<SubjectKind> kinds = {
      {"Block", &Make<BlockSubject>}, {"Table", &Make<TableSubject>},
      {"Run", &Make<RunSubject>},     {"MemTable", &Make<MemTableSubject>},
      {"Merge", &Make<MergeSubject>}, {"Undeleted", &Make<UndeletedSubject>},
      {"DB", &Make<DBSubject>}};
  return kinds;
}

}  // namespace cambium::test
