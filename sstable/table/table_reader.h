// TableReader: one open SSTable: point reads, iterators, checks.
//
// Resident while it is open: top index, properties, and two slots (pointers) per partition.
// Everything else comes and goes through the block cache: the slot of a block holds the address of
// its cached frame, so a hit is a search in the index and one load. The slots of data blocks belong
// to the cached frame of their index partition.
//
//   Get:  top index ─▶ filter partition ─▶ index partition ─▶ slot ─▶ data block ─▶ KeyFold
//
// Nothing on the path of a hit writes to shared memory, save a frame's "recently used" mark while
// it is not set. A lookup first tries the cached blocks alone, inside an EpochGuard. At the first
// block that is missing it leaves the guard, pins frames by counted references from there on, and
// reads the file.
//
// Every block is verified when it comes from the file (D8); sizes are bounded by the file's before
// anything is allocated (D17). Damage is DataLoss with path, offset, found and expected, and the
// key range of the block where it is known (D15); an error of the file system keeps its code.
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

namespace cambium::sstable {

struct TableIteratorOptions {
  CacheFill fill = CacheFill::kYes;
  // Not 0: the walk is forward and long (a compaction): blocks are read in pieces of about this
  // many bytes into a buffer of the iterator's own, and the cache is neither asked nor filled with
  // data blocks.
  size_t readahead_bytes = 0;
};

// One key of a MultiGet.
struct LookupRequest {
  const LookupKey* key = nullptr;
  KeyFold* fold = nullptr;       // not decided yet
  PinnedValue* value = nullptr;  // set if the fold comes to kValue
  absl::Status status;           // out
};

// Where a lookup goes on that missed a block in the cache. Plain data.
struct TablePosition {
  DataPlace place;
  FrameLease index;  // of the place's partition; null: the lookup begins anew
};

// Thread-safe; immutable after Open() but for its slots. Destroyed when no call, iterator or
// EpochGuard reaches it any more; values that it pinned live on.
class TableReader {
 public:
  // Reads footer, top index and properties. DataLoss for what is not the table that was asked for;
  // Unimplemented for a newer format; InvalidArgument where it was built in another order.
  static absl::StatusOr<std::unique_ptr<TableReader>> Open(const TableReaderOptions& options,
                                                           std::unique_ptr<RandomAccessFile> file);
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;
  ~TableReader() = default;

  // Steps `fold` over the versions of `key`, newest first, until it is decided; if it comes to
  // kValue, sets `*value`. A key that is not here leaves the fold as it was, with ok. The caller
  // has no EpochGuard open.
  absl::Status Get(const LookupKey& key, CacheFill fill, KeyFold* fold, PinnedValue* value) const;

  // Get() in two parts, for callers that are inside an EpochGuard. GetCached() uses cached blocks
  // alone. It returns false if one is missing; then the caller closes its guard and goes on with
  // GetFrom() at what GetCached() left in `*reached`.
  bool GetCached(const LookupKey& key, KeyFold* fold, PinnedValue* value,
                 TablePosition* reached) const;
  absl::Status GetFrom(TablePosition from, const LookupKey& key, CacheFill fill, KeyFold* fold,
                       PinnedValue* value) const;

  // Get() for many keys in any order; requests whose fold is decided are left alone. Blocks that
  // are not cached are read many by one call of the file. The caller has no EpochGuard open.
  void MultiGet(std::span<LookupRequest> requests, CacheFill fill) const;

  // The reader must outlive the iterator. Both directions; one block pinned at a time.
  std::unique_ptr<InternalIterator> NewIterator(const TableIteratorOptions& options) const;

  // The offset in the file near which `key` is or would be; the end of the data past the last key.
  // Answers from the top index alone where the index partition cannot be read.
  uint64_t ApproximateOffsetOf(std::string_view key) const;

  // Reads every byte past the cache: checksums, order of the entries, separators, counts against
  // the properties, filters, and the whole file's digest where one is expected.
  absl::Status Verify(std::optional<uint64_t> expected_digest) const;

  const TableProperties& properties() const { return properties_; }

 private:
  // One key on its way through the blocks.
  struct Sought {
    const LookupKey& key;
    KeyFold* fold;
    PinnedValue* value;
  };
  // What the cached blocks say about a key.
  enum class Presence : uint8_t { kAbsent, kPossible, kUnknown };
  // One key of a MultiGet.
  struct Lookup;

  TableReader(TableFile file, TopIndex top, TableProperties properties);

  bool HasFilter(size_t partition) const {
    return blocks_.top().partition(partition).filter.size != 0 &&
           blocks_.order().comparator_identical();
  }
  // Brings into the processor's caches what a lookup in the partition will touch first.
  void Prefetch(const LookupKey& key, size_t partition) const;
  // Finds the first block to look into by cached filters and indexes. If it returns kPossible, it
  // has set `*place` and the frame of that partition's index. Inside a guard.
  Presence LocateCached(const LookupKey& key, DataPlace* place, Frame** index) const;
  // Searches the cached block at `place` and the blocks after it while the key's versions go on.
  // Returns false, with `*reached` set, if one is not cached. Inside a guard.
  bool SearchCached(const Sought& sought, DataPlace place, Frame* index,
                    TablePosition* reached) const;
  // The same two without a guard: they pin and read. Locate leaves `at->index` null if the key is
  // not there. Search begins with `data`, the block at `at.place`.
  absl::Status Locate(const LookupKey& key, TablePosition* at) const;
  absl::Status Search(const Sought& sought, TablePosition at, FrameLease data,
                      CacheFill fill) const;
  // Returns true if the key's versions go on after the block.
  bool SearchBlock(const Sought& sought, Frame* data) const;
  // The steps of MultiGet. The first does what the cached blocks allow, and returns the lookups
  // that are not done; the last reads the blocks of lookups that are sorted by place.
  std::vector<Lookup> LookUpCached(std::span<LookupRequest> requests) const;
  void ReadAndSearch(std::span<Lookup> lookups, CacheFill fill) const;

  const TableBlocks blocks_;
  const TableProperties properties_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_READER_H_
