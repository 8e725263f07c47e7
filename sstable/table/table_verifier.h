// TableVerifier: reads every byte of a table and checks whatever can be checked.
//
// Checksums (as every read does), the order of entries, separators, block flags and filters against
// the entries, the properties against what was counted, and the digest of the whole file.
#ifndef CAMBIUM_SSTABLE_TABLE_TABLE_VERIFIER_H_
#define CAMBIUM_SSTABLE_TABLE_TABLE_VERIFIER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/keys.h"
#include "sstable/block_iterator.h"
#include "sstable/table/sequential_blocks.h"
#include "sstable/table/table_blocks.h"
#include "sstable/table/table_properties.h"

namespace cambium::sstable {

// Used once. Confined to one thread.
class TableVerifier {
 public:
  // Both must outlive it.
  TableVerifier(const TableBlocks* blocks, const TableProperties* properties);

  absl::Status Verify(std::optional<uint64_t> expected_digest);

 private:
  absl::Status CheckPartition(size_t partition);
  absl::Status CheckBlock(const DataPlace& place, const IndexView& index, const Frame* filter);
  // The entry that the iterator stands on against the one before it, and against the filter.
  absl::Status CheckEntry(const Frame* filter);
  absl::Status CheckProperties() const;
  absl::Status CheckDigest(uint64_t expected_digest) const;
  // What was found wrong, with the file.
  absl::Status Wrong(const std::string& what) const;

  const TableBlocks* const blocks_;
  const TableProperties* const properties_;
  SequentialBlocks reader_;
  BlockIterator entry_;
  TableProperties counted_;  // of what was read so far
  std::string separator_;    // of the block before
  std::string last_key_;     // of the entry before
  Tag last_tag_ = 0;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_TABLE_VERIFIER_H_
