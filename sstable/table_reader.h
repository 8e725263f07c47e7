// TableReader: one open SSTable: point reads, iterators, checks.
//
// Resident while it is open: top index, properties, and one slot (a pointer) a block. Everything
// else comes and goes through the block cache: the slot of a block holds the address of its cached
// frame, so a hit is a search in the index and one load.
//
//   Get:  top index ─▶ filter partition ─▶ index partition ─▶ slot ─▶ data block ─▶ KeyFold
//
// Nothing on the path of a hit writes to shared memory, save a frame's "recently used" mark while
// it is not set.
//
// Every block is verified when it comes from the file (D8); sizes are bounded by the file's before
// anything is allocated (D17). Damage is DataLoss with path, offset, found and expected, and the
// key range of the block where it is known (D15); an error of the file system keeps its code.
#ifndef CAMBIUM_SSTABLE_TABLE_READER_H_
#define CAMBIUM_SSTABLE_TABLE_READER_H_

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

// Values up to this size are copied out of a block; longer ones pin it.
inline constexpr size_t kMaxCopiedValueSize = 1024;

struct TableReadOptions {
  bool fill_cache = true;
};

struct TableIteratorOptions {
  bool fill_cache = true;
  // Not 0: the walk is forward and long (a compaction): blocks are read in pieces of about this
  // many bytes into a buffer of the iterator's own, and the cache is neither asked nor filled with
  // data blocks.
  size_t readahead_bytes = 0;
};

// One key of a MultiGet.
struct LookupRequest {
  const LookupKey* key = nullptr;
  KeyFold* fold = nullptr;       // not decided yet
  PinnedValue* value = nullptr;  // set where the fold answers kValue
  absl::Status status;           // out
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

  // Feeds the versions of `key` to `fold`, newest first, until it is decided; where it answers
  // kValue, sets `*value`. A key that is not here leaves the fold as it was, with ok. The caller
  // holds an EpochGuard.
  absl::Status Get(const LookupKey& key, const TableReadOptions& options, KeyFold* fold,
                   PinnedValue* value) const;

  // The same for many keys in any order; requests whose fold is decided are left alone. Blocks that
  // are not cached are read by one call of the file. The caller holds an EpochGuard.
  void MultiGet(std::span<LookupRequest> requests, const TableReadOptions& options) const;

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
    CacheFill fill;
  };
  // One key of a MultiGet and the leases that it holds.
  struct Lookup;

  TableReader(TableFile file, TopIndex top, TableProperties properties);

  bool HasFilter(size_t partition) const {
    return blocks_.top().partition(partition).filter.size != 0 &&
           blocks_.order().comparator_identical();
  }
  // Brings into the processor's caches what a lookup in the partition will touch first.
  void Prefetch(const LookupKey& key, size_t partition) const;
  // Sets `place` to the first block of its partition to look into, and holds that partition's
  // index; leaves `index` null where the filter says that the key is not there.
  absl::Status Locate(const LookupKey& key, DataPlace* place, FrameLease* index) const;
  // Searches the block at `place`, which is `data`, and the blocks after it while the key's
  // versions go on.
  absl::Status Search(const Sought& sought, DataPlace place, FrameLease index,
                      FrameLease data) const;
  // The steps of MultiGet, each over all lookups; an error ends its lookup.
  void LocateAll(std::span<Lookup> lookups) const;
  std::vector<BlockRead> ReadMissing(std::span<Lookup> lookups, CacheFill fill) const;

  const TableBlocks blocks_;
  const TableProperties properties_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_READER_H_
