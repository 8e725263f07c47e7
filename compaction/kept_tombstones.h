// Selects the range tombstones that a flush or a compaction keeps.
//
// As for the versions of a key (compaction/merge_stream.h), only the newest tombstone of a stripe
// is needed in each segment, and one in the oldest stripe is not needed if there is nothing older
// below to hide. With a snapshot 20 and older data below c…p:
//
//   in   [a,m)@10  [c,p)@15  [c,p)@30        out   [c,p)@30 @15
#ifndef CAMBIUM_COMPACTION_KEPT_TOMBSTONES_H_
#define CAMBIUM_COMPACTION_KEPT_TOMBSTONES_H_

#include <vector>

#include "base/range_tombstones.h"
#include "compaction/merge_stream.h"

namespace cambium::compaction {

// Returns the tombstones of options.range_deletes inside of options.range that are kept, as
// fragments that do not overlap, ascending. They refer to the bytes of the options.
std::vector<TombstoneFragment> TombstonesToKeep(const MergeStreamOptions& options);

}  // namespace cambium::compaction

#endif  // CAMBIUM_COMPACTION_KEPT_TOMBSTONES_H_
