// TableReader: one open SSTable: point reads, iterators, verification.
//
// In memory while the table is open: top index, properties, range tombstones, and two slots
// (pointers) per partition.
// All other data is in the block cache: the slot of a block contains the address of its cached
// frame, so a hit is a search in the index and one load. The slots of data blocks belong to the
// cached frame of their index partition.
//
//   Get:  top index ─▶ filter partition ─▶ index partition ─▶ slot ─▶ data block ─▶ KeyFold
//
// A hit writes no shared memory, except a frame's "recently used" mark if it is not set. A lookup
// first uses only cached blocks, inside an EpochGuard. At the first missing block it leaves the
// guard, pins frames by counted references from there on, and reads the file.
//
// Every block is verified when it is read from the file (D8); sizes are bounded by the file's size
// before anything is allocated (D17). Damage is DataLoss with the path, the offset, and the found
// and expected values, and the key range of the block if it is known (D15); an error of the file
// system keeps its code.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_READER_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/internal_iterator.h"
#include "base/key_fold.h"
#include "base/keys.h"
#include "cambium/pinned_value.h"
#include "sstable/table/table_blocks.h"
#include "sstable/table/table_format.h"

namespace cambium {
class TombstoneIndex;
}

namespace cambium::sstable {

struct TableIteratorOptions {
  CacheFill fill = CacheFill::kYes;
  // If not 0, the iterator is for a long forward scan (a compaction): blocks are read in pieces of
  // about this many bytes into a private buffer, and data blocks are neither looked up in the cache
  // nor added to it.
  size_t readahead_bytes = 0;
};

// One key of a MultiGet.
struct LookupRequest {
  const LookupKey* key = nullptr;
  KeyFold* fold = nullptr;       // must be undecided
  PinnedValue* value = nullptr;  // set if the result of the fold is kValue
  absl::Status status;           // out
};

// The position at which a lookup continues that missed a block in the cache. Plain data.
struct TablePosition {
  DataPlace place;
  FrameLease index;  // of the place's partition; null: the lookup starts again
};

// Thread-safe; immutable after Open() except for its slots. Destroy it when no call, iterator, or
// EpochGuard can use it any more; values that it pinned stay valid.
class TableReader {
 public:
  // Reads footer, top index, and properties. Returns DataLoss if the file is not the requested
  // table, Unimplemented for a newer format, and InvalidArgument if it was built with another
  // order.
  static absl::StatusOr<std::unique_ptr<TableReader>> Open(const TableReaderOptions& options,
                                                           std::unique_ptr<RandomAccessFile> file);
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;
  ~TableReader();

  // Point reads consider the table's own range tombstones: they announce them to the fold
  // (KeyFold::Cover), and read no block if one covers all entries of the table. The caller calls
  // KeyFold::EndSource.

  // Steps `fold` over the versions of `key`, newest first, until it is decided; sets `*value` if
  // the result is kValue. Returns ok and leaves the fold unchanged if the key is not in the table.
  // The caller must have no open EpochGuard.
  absl::Status Get(const LookupKey& key, CacheFill fill, KeyFold* fold, PinnedValue* value) const;

  // The two parts of Get(), for callers inside an EpochGuard. GetCached() uses only cached blocks.
  // It returns false if one is missing; then the caller must close its guard and continue with
  // GetFrom() at the position in `*reached`.
  bool GetCached(const LookupKey& key, KeyFold* fold, PinnedValue* value,
                 TablePosition* reached) const;
  absl::Status GetFrom(TablePosition from, const LookupKey& key, CacheFill fill, KeyFold* fold,
                       PinnedValue* value) const;

  // Does Get() for many keys in any order; ignores requests whose fold is decided. Reads many
  // missing blocks per call of the file. The caller must have no open EpochGuard.
  void MultiGet(std::span<LookupRequest> requests, CacheFill fill) const;

  // Returns the range tombstones; null if there are none. They live as long as the reader.
  const TombstoneIndex* range_deletes() const { return range_deletes_.get(); }

  // Returns an iterator in both directions over all entries, without regard to range tombstones. It
  // pins one block at a time. The reader must outlive it.
  std::unique_ptr<InternalIterator> NewIterator(const TableIteratorOptions& options) const;

  // Returns the approximate file offset of `key`, even if it does not exist; the end of the data
  // for a key after the last one. Uses only the top index if the index partition cannot be read.
  uint64_t ApproximateOffsetOf(std::string_view key) const;

  // Reads every byte without the cache and checks checksums, the order of the entries, separators,
  // counts against the properties, filters, and the whole file's digest if it is given.
  absl::Status Verify(std::optional<uint64_t> expected_digest) const;

  const TableProperties& properties() const { return properties_; }

 private:
  // The state of one key's lookup.
  struct Sought {
    const LookupKey& key;
    KeyFold* fold;
    PinnedValue* value;
  };
  // The result of a lookup in the cached blocks.
  enum class Presence : uint8_t { kAbsent, kPossible, kUnknown };
  // One key of a MultiGet.
  struct Lookup;

  // The parts of an open table that are in memory. Plain data.
  struct Parts {
    TopIndex top;
    TableProperties properties;
    BlockHandle range_deletes_at;
    std::unique_ptr<const TombstoneIndex> range_deletes;  // null: none
  };

  TableReader(TableFile file, Parts parts);

  // Returns false if the table has no entry of the key that its own range tombstones do not cover.
  // Announces them to the fold. There must be range tombstones.
  bool HasUncovered(const LookupKey& key, KeyFold* fold) const;

  bool HasFilter(size_t partition) const {
    return blocks_.top().partition(partition).filter.size != 0 &&
           blocks_.order().comparator_identical();
  }
  // Prefetches the memory that a lookup in the partition reads first.
  void Prefetch(const LookupKey& key, size_t partition) const;
  // Finds the first block for the key in cached filters and indexes. If it returns kPossible, it
  // has set `*place` and the frame of that partition's index. Call it inside a guard.
  Presence LocateCached(const LookupKey& key, DataPlace* place, Frame** index) const;
  // Searches the cached block at `place` and the following blocks as long as the key's versions
  // continue. Returns false, with `*reached` set, if one is not cached. Call it inside a guard.
  bool SearchCached(const Sought& sought, DataPlace place, Frame* index,
                    TablePosition* reached) const;
  // The same two steps without a guard: they pin and read. Locate leaves `at->index` null if the
  // table does not contain the key. Search begins with `data`, the block at `at.place`.
  absl::Status Locate(const LookupKey& key, TablePosition* at) const;
  absl::Status Search(const Sought& sought, TablePosition at, FrameLease data,
                      CacheFill fill) const;
  // Returns true if the key's versions continue after the block.
  bool SearchBlock(const Sought& sought, Frame* data) const;
  // The steps of MultiGet. The first uses the cached blocks, and returns the unfinished lookups;
  // the last reads the blocks of lookups that are sorted by place.
  std::vector<Lookup> LookUpCached(std::span<LookupRequest> requests) const;
  void ReadAndSearch(std::span<Lookup> lookups, CacheFill fill) const;

  const TableBlocks blocks_;
  const TableProperties properties_;
  const BlockHandle range_deletes_at_;
  const std::unique_ptr<const TombstoneIndex> range_deletes_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_READER_H_
