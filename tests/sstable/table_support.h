// Shared by the tests of tables: entries of many shapes, tables in memory, and one harness that
// compares an iterator and a reader with the sorted entries.
#ifndef CAMBIUM_TESTS_SSTABLE_TABLE_SUPPORT_H_
#define CAMBIUM_TESTS_SSTABLE_TABLE_SUPPORT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "env/testing/mem_file_system.h"
#include "sstable/cache/block_cache.h"
#include "sstable/table/table_builder.h"
#include "sstable/table/table_reader.h"
#include "tests/support/vector_iterator.h"
#include "util/epoch.h"

namespace cambium::sstable {

inline constexpr char kTestPath[] = "/000007.sst";
inline constexpr FileNumber kTestNumber{7};

class ReverseOrder final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.Reverse"; }
  bool EqualMeansIdentical() const override { return true; }
};

// Upper and lower case are equal: keys with different bytes may be equal.
class CaselessOrder final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    return Lower(a).compare(Lower(b));
  }
  const char* Name() const override { return "test.Caseless"; }

 private:
  static std::string Lower(std::string_view key) {
    std::string lower(key);
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
  }
};

inline void SortEntries(const KeyOrder& order, std::vector<OwnedEntry>* entries) {
  const auto compare = [&order](const OwnedEntry& a, const OwnedEntry& b) {
    return order.CompareEntries(a.key, a.trailer, b.key, b.trailer);
  };
  std::sort(entries->begin(), entries->end(),
            [&](const OwnedEntry& a, const OwnedEntry& b) { return compare(a, b) < 0; });
  entries->erase(
      std::unique(entries->begin(), entries->end(),
                  [&](const OwnedEntry& a, const OwnedEntry& b) { return compare(a, b) == 0; }),
      entries->end());
}

// The properties of random entries. Plain data.
struct Shape {
  size_t count = 1000;
  size_t keys = 1000;       // number of distinct keys
  size_t key_size = 0;      // 0: various sizes
  size_t value_size = 100;  // at most
  double tombstones = 0.1;  // fraction
  uint64_t seed = 1;
};

inline std::string RandomKey(const Shape& shape, uint64_t which) {
  std::string key = std::to_string(which * 0x9e3779b97f4a7c15ULL);
  if (shape.key_size != 0) {
    key.resize(shape.key_size, 'k');
  } else {
    key.resize(which % (key.size() + 1));
  }
  return key;
}

inline std::vector<OwnedEntry> RandomEntries(const Shape& shape, const KeyOrder& order) {
  std::mt19937_64 random(shape.seed);
  std::vector<OwnedEntry> entries(shape.count);
  for (OwnedEntry& entry : entries) {
    entry.key = RandomKey(shape, random() % shape.keys);
    const bool is_delete = double(random() % 1000) < shape.tombstones * 1000;
    entry.trailer =
        MakeTrailer(1 + random() % (4 * shape.count), is_delete ? Kind::kDelete : Kind::kValue);
    if (!is_delete) {
      entry.value = std::to_string(random());
      entry.value.resize(random() % (shape.value_size + 1), 'v');
    }
  }
  SortEntries(order, &entries);
  // No two entries of a key have the same sequence number.
  std::vector<OwnedEntry> unique;
  for (OwnedEntry& entry : entries) {
    if (!unique.empty() && order.Equal(unique.back().key, entry.key) &&
        TrailerSequence(unique.back().trailer) == TrailerSequence(entry.trailer)) {
      continue;
    }
    unique.push_back(std::move(entry));
  }
  return unique;
}

// A table in memory, with its file system and cache.
class TestTable {
 public:
  explicit TestTable(size_t cache_size = size_t{8} << 20) : cache_(cache_size, &epochs_) {
    options_.number = kTestNumber;
    options_.path = kTestPath;
  }

  TableBuilderOptions& options() { return options_; }
  EpochDomain& epochs() { return epochs_; }
  BlockCache& cache() { return cache_; }
  env::MemFileSystem& file_system() { return file_system_; }
  const TableSummary& summary() const { return summary_; }
  const KeyOrder& order() const { return options_.order; }

  absl::Status Write(const std::vector<OwnedEntry>& entries) {
    auto file = file_system_.CreateWritable(kTestPath);
    if (!file.ok()) return file.status();
    TableBuilder builder(options_, std::move(*file));
    for (const OwnedEntry& entry : entries) {
      const absl::Status status = builder.Add(entry.key, entry.trailer, entry.value);
      if (!status.ok()) return status;
    }
    auto summary = builder.Finish();
    if (!summary.ok()) return summary.status();
    summary_ = *summary;
    return absl::OkStatus();
  }

  std::string Bytes() {
    auto file = file_system_.OpenRandomAccess(kTestPath);
    std::string bytes(file.value()->Size().value(), '\0');
    ReadRequest request;
    request.buffer = bytes.data();
    request.size = bytes.size();
    (*file)->Read({&request, 1});
    EXPECT_TRUE(request.status.ok()) << request.status;
    return bytes;
  }

  void Overwrite(std::string_view bytes) {
    if (*file_system_.Exists(kTestPath)) {
      ASSERT_TRUE(file_system_.Remove(kTestPath).ok());
    }
    auto file = file_system_.CreateWritable(kTestPath);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Append(bytes).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }

  absl::StatusOr<std::unique_ptr<TableReader>> Open() { return Open(&file_system_); }
  absl::StatusOr<std::unique_ptr<TableReader>> Open(FileSystem* through) {
    auto file = through->OpenRandomAccess(kTestPath);
    if (!file.ok()) return file.status();
    TableReaderOptions options;
    options.order = options_.order;
    options.cache = &cache_;
    options.number = options_.number;
    options.path = kTestPath;
    options.file_size = file_system_.FileSize(kTestPath).value();
    return TableReader::Open(options, std::move(*file));
  }

 private:
  EpochDomain epochs_;
  BlockCache cache_;
  env::MemFileSystem file_system_;
  TableBuilderOptions options_;
  TableSummary summary_;
};

// The result of a read of `key` at `sequence` in sorted entries.
struct Found {
  KeyFold::State state = KeyFold::State::kMore;
  std::string value;

  friend bool operator==(const Found&, const Found&) = default;
};

inline Found FindInEntries(const std::vector<OwnedEntry>& entries, const KeyOrder& order,
                           std::string_view key, SequenceNumber sequence) {
  const auto at =
      std::partition_point(entries.begin(), entries.end(), [&](const OwnedEntry& entry) {
        return order.CompareEntries(entry.key, entry.trailer, key, SeekTrailer(sequence)) < 0;
      });
  if (at == entries.end() || !order.Equal(at->key, key)) return {};
  if (TrailerKind(at->trailer) == Kind::kDelete) return {KeyFold::State::kDeleted, ""};
  return {KeyFold::State::kValue, at->value};
}

inline absl::StatusOr<Found> FindInTable(const TableReader& reader, const KeyOrder& order,
                                         std::string_view key, SequenceNumber sequence,
                                         CacheFill fill = CacheFill::kYes) {
  const LookupKey lookup(key, sequence, order);
  KeyFold fold(sequence);
  PinnedValue value;
  const absl::Status status = reader.Get(lookup, fill, &fold, &value);
  if (!status.ok()) return status;
  return Found{fold.state(), value.ToString()};
}

inline OwnedEntry EntryOf(const InternalIterator& iterator) {
  return {std::string(iterator.key()), iterator.trailer(), std::string(iterator.value())};
}

inline ::testing::AssertionResult StandsAt(const InternalIterator& iterator,
                                           const std::vector<OwnedEntry>& entries, size_t index) {
  if (!iterator.status().ok()) return ::testing::AssertionFailure() << iterator.status();
  if (index >= entries.size()) {
    return iterator.Valid() ? ::testing::AssertionFailure() << "stands at " << iterator.key()
                            : ::testing::AssertionSuccess();
  }
  if (!iterator.Valid()) return ::testing::AssertionFailure() << "stands nowhere";
  const OwnedEntry& expected = entries[index];
  if (iterator.key() == expected.key && iterator.trailer() == expected.trailer &&
      iterator.value() == expected.value) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << "stands at " << iterator.key() << "@" << iterator.trailer() << ", expected "
         << expected.key << "@" << expected.trailer;
}

// Checks every kind of move against the entries.
inline void CheckIterator(InternalIterator* iterator, const std::vector<OwnedEntry>& entries,
                          const KeyOrder& order, uint64_t seed, int rounds = 500) {
  size_t index = 0;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++index) {
    ASSERT_TRUE(StandsAt(*iterator, entries, index));
  }
  ASSERT_TRUE(iterator->status().ok()) << iterator->status();
  ASSERT_EQ(index, entries.size());
  for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) {
    ASSERT_TRUE(StandsAt(*iterator, entries, --index));
  }
  ASSERT_TRUE(iterator->status().ok()) << iterator->status();
  ASSERT_EQ(index, 0u);

  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    std::string key = entries[random() % entries.size()].key;
    Trailer trailer = entries[random() % entries.size()].trailer;
    if (random() % 4 == 0) key.push_back(static_cast<char>(random()));
    if (random() % 4 == 0 && !key.empty()) key.back() = static_cast<char>(random());
    if (random() % 4 == 0) trailer = random() % 2 == 0 ? 0 : ~Trailer{0};
    const auto at = static_cast<size_t>(std::partition_point(entries.begin(), entries.end(),
                                                             [&](const OwnedEntry& entry) {
                                                               return order.CompareEntries(
                                                                          entry.key, entry.trailer,
                                                                          key, trailer) < 0;
                                                             }) -
                                        entries.begin());
    if (random() % 2 == 0) {
      iterator->Seek(key, trailer);
      index = at;
    } else {
      iterator->SeekForPrev(key, trailer);
      const bool hit =
          at < entries.size() &&
          order.CompareEntries(entries[at].key, entries[at].trailer, key, trailer) == 0;
      index = hit ? at : at - 1;  // before the first entry: SIZE_MAX, no position
    }
    ASSERT_TRUE(StandsAt(*iterator, entries, index)) << "round " << round;
    for (size_t steps = random() % 8; steps > 0 && iterator->Valid(); --steps) {
      if (random() % 2 == 0) {
        iterator->Next();
        ++index;
      } else {
        iterator->Prev();
        --index;
      }
      ASSERT_TRUE(StandsAt(*iterator, entries, index)) << "round " << round;
    }
  }
}

// Checks point reads of existing and missing keys at many sequence numbers against the entries.
inline void CheckReads(const TableReader& reader, const std::vector<OwnedEntry>& entries,
                       const KeyOrder& order, CacheFill fill = CacheFill::kYes) {
  for (size_t i = 0; i < entries.size(); ++i) {
    const SequenceNumber sequence = TrailerSequence(entries[i].trailer);
    for (const SequenceNumber at : {kMaxSequenceNumber, sequence, sequence - 1}) {
      const absl::StatusOr<Found> found = FindInTable(reader, order, entries[i].key, at, fill);
      ASSERT_TRUE(found.ok()) << found.status();
      ASSERT_EQ(*found, FindInEntries(entries, order, entries[i].key, at)) << entries[i].key;
    }
    const std::string absent = entries[i].key + '\x01';
    const absl::StatusOr<Found> found =
        FindInTable(reader, order, absent, kMaxSequenceNumber, fill);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(*found, FindInEntries(entries, order, absent, kMaxSequenceNumber)) << absent;
  }
}

}  // namespace cambium::sstable

#endif  // CAMBIUM_TESTS_SSTABLE_TABLE_SUPPORT_H_
