// OwnWrites: the writes of one transaction before its commit.
//
// They are a batch, as the commit will write it. Most transactions read first and write then, and
// never read what they wrote: only if one does, an index is built over the batch, and kept up to
// date from then on. It is a memtable per column family, in which the sequence number of an entry
// is the number of its operation in the batch, from 1. A TTL counts from the commit, so the
// memtable holds such a value as one that does not expire.
#ifndef CAMBIUM_ENGINE_TRANSACTION_OWN_WRITES_H_
#define CAMBIUM_ENGINE_TRANSACTION_OWN_WRITES_H_

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/batch_codec.h"
#include "cambium/write_batch.h"
#include "engine/tree/trees.h"
#include "memtable/memtable.h"
#include "util/chunk_pool.h"

namespace cambium::engine {

// The writes to one tree, for reading. Iterators share it; only the transaction adds to it.
struct OwnTable {
  OwnTable(TreeRef owner, ChunkPool* chunks)
      : tree(std::move(owner)), entries(tree->order(), chunks, 0) {}

  const TreeRef tree;
  memtable::MemTable entries;
};

// The family of an operation: its tree, and the handle that the program gave, null for the default
// family. Plain data.
struct FamilyRef {
  const TreeRef& tree;
  const ColumnFamily* handle = nullptr;
};

// Confined to its transaction.
class OwnWrites {
 public:
  // The pool outlives the writes, and the iterators over them.
  explicit OwnWrites(ChunkPool* chunks) : chunks_(chunks) {}
  OwnWrites(const OwnWrites&) = delete;
  OwnWrites& operator=(const OwnWrites&) = delete;

  // Appends a kPut, kMerge, or kDelete whose key and value are within the limits, with the TTL of a
  // put. Returns InvalidArgument if the batch becomes too large. Adds nothing after an error or an
  // exception.
  absl::Status Add(const FamilyRef& family, const BatchOp& op,
                   std::optional<std::chrono::milliseconds> ttl);

  // Returns the writes to `tree`, or null if there are none.
  std::shared_ptr<const OwnTable> Find(const TreeRef& tree);

  const WriteBatch& batch() const { return batch_; }
  // Returns a tree that was written to.
  const TreeRef& tree(ColumnFamilyId id) const { return trees_.at(id); }

  // Releases the memory, except what iterators use.
  void Clear();

  void SetSavepoint() { savepoints_.push_back(batch_.MakeSavepoint()); }
  // Return false if there is no savepoint.
  bool RollbackToSavepoint();
  bool ReleaseSavepoint();

 private:
  void BuildIndex();
  // The value of `op` is without its TTL.
  void AddToIndex(const BatchOp& op, uint64_t number);

  ChunkPool* const chunks_;
  WriteBatch batch_;
  std::map<ColumnFamilyId, TreeRef> trees_;
  bool indexed_ = false;
  std::map<ColumnFamilyId, std::shared_ptr<OwnTable>> index_;
  std::vector<WriteBatch::Savepoint> savepoints_;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TRANSACTION_OWN_WRITES_H_
