// The block of a table's range tombstones.
//
// It contains fragments: ranges that do not overlap, ascending, each with the sequence numbers of
// its tombstones. Format: docs/format/sstable.md, "Range deletes".
#ifndef CAMBIUM_SSTABLE_TABLE_RANGE_DELETE_BLOCK_H_
#define CAMBIUM_SSTABLE_TABLE_RANGE_DELETE_BLOCK_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/keys.h"
#include "base/range_tombstones.h"

namespace cambium::sstable {

// Returns the bytes of a block. There must be a fragment; each has a begin and an end with keys.
std::string EncodeRangeDeletes(const KeyOrder& order, std::span<const TombstoneFragment> fragments);

// Returns the tombstones of a block of untrusted bytes; DataLoss, without a file name, if they are
// not such a block.
absl::StatusOr<std::unique_ptr<const TombstoneIndex>> DecodeRangeDeletes(const KeyOrder& order,
                                                                         std::string_view bytes);

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_TABLE_RANGE_DELETE_BLOCK_H_
