// ColumnFamily: a handle of one of the key spaces of a database. ColumnFamilyOptions: its options.
#ifndef CAMBIUM_COLUMN_FAMILY_H_
#define CAMBIUM_COLUMN_FAMILY_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "cambium/comparator.h"
#include "cambium/export.h"
#include "cambium/merge_operator.h"

namespace cambium {

namespace engine {
class Tree;
}

// The compression of blocks in the lower levels. The numbers are stored in files.
enum class Compression : uint8_t { kNone = 0, kZstd = 1 };

// The options of a column family. Plain data. Values out of bounds are InvalidArgument, which names
// the option and the bounds.
struct ColumnFamilyOptions {
  // The order of the keys. Must outlive the DB. Its name is stored and checked.
  const Comparator* comparator = BytewiseComparator();
  // The meaning of DB::Merge. If null, a built-in operator (merge_operators.h) is found by the
  // stored name. Without an operator, Merge and reads of keys with operands return
  // FailedPrecondition, and flush and compaction keep the operands. Its name is stored and checked.
  std::shared_ptr<const MergeOperator> merge_operator;
  Compression compression = Compression::kZstd;
  int compression_level = 1;  // zstd's: -131072 to 22
  // Bits of Bloom filter per key, at most 64; 0: no filter.
  double filter_bits_per_key = 10;
  // The TTL of writes that do not state one; 0: values do not expire.
  std::chrono::milliseconds default_ttl{0};
};

// A handle. It may outlive the drop of its family, and the DB: then every call with it returns
// FailedPrecondition. Immutable after construction.
class CAMBIUM_EXPORT ColumnFamily {
 public:
  // Used by DB only; programs get handles from it. `database` identifies the open database.
  ColumnFamily(std::string name, uint32_t id, uint64_t database,
               std::shared_ptr<engine::Tree> tree);
  ~ColumnFamily();
  ColumnFamily(const ColumnFamily&) = delete;
  ColumnFamily& operator=(const ColumnFamily&) = delete;

  // Returns the name that the family had when this handle was obtained.
  const std::string& name() const { return name_; }
  // Returns the number of the family, which no other family of the database ever has.
  uint32_t id() const { return id_; }

  // Used by the library.
  uint64_t database() const { return database_; }
  const std::shared_ptr<engine::Tree>& tree() const { return tree_; }

 private:
  const std::string name_;
  const uint32_t id_;
  const uint64_t database_;
  const std::shared_ptr<engine::Tree> tree_;
};

}  // namespace cambium

#endif  // CAMBIUM_COLUMN_FAMILY_H_
