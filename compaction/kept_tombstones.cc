#include "compaction/kept_tombstones.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace cambium::compaction {
namespace {

// Returns the newest tombstone of each stripe over the segment, newest first.
std::vector<SequenceNumber> NewestPerStripe(const MergeStreamOptions& options, size_t segment) {
  std::vector<SequenceNumber> newest;
  const std::vector<SequenceNumber>& snapshots = options.snapshots;
  SequenceNumber at_most = kMaxSequenceNumber;
  for (;;) {
    const SequenceNumber sequence = options.range_deletes->Newest(segment, at_most);
    if (sequence == 0) return newest;
    newest.push_back(sequence);
    // The next older stripe ends at the newest snapshot that does not see this one.
    const auto seeing = std::lower_bound(snapshots.begin(), snapshots.end(), sequence);
    if (seeing == snapshots.begin()) return newest;
    at_most = *(seeing - 1);
  }
}

}  // namespace

std::vector<TombstoneFragment> TombstonesToKeep(const MergeStreamOptions& options) {
  std::vector<TombstoneFragment> kept;
  if (options.range_deletes == nullptr) return kept;
  const TombstoneIndex& index = *options.range_deletes;
  const KeyOrder& order = options.order;
  const KeyCut first = options.range.begin ? KeyCut::Before(*options.range.begin) : KeyCut::Start();
  const KeyCut last = options.range.end ? KeyCut::Before(*options.range.end) : KeyCut::End();
  for (size_t segment = 0; segment < index.segment_count(); ++segment) {
    TombstoneFragment fragment{index.begin(segment), index.end(segment),
                               NewestPerStripe(options, segment)};
    if (fragment.sequences.empty()) continue;
    if (CompareCuts(order, fragment.begin, first) < 0) fragment.begin = first;
    if (CompareCuts(order, last, fragment.end) < 0) fragment.end = last;
    if (CompareCuts(order, fragment.begin, fragment.end) >= 0) continue;
    const SequenceNumber oldest = fragment.sequences.back();
    const bool all_readers_see_it =
        options.snapshots.empty() || oldest <= options.snapshots.front();
    if (all_readers_see_it && options.range_absent_below &&
        options.range_absent_below(fragment.begin, fragment.end)) {
      fragment.sequences.pop_back();
    }
    if (fragment.sequences.empty()) continue;
    const bool continues = !kept.empty() && kept.back().sequences == fragment.sequences &&
                           CompareCuts(order, kept.back().end, fragment.begin) == 0;
    if (continues) {
      kept.back().end = fragment.end;
    } else {
      kept.push_back(std::move(fragment));
    }
  }
  return kept;
}

}  // namespace cambium::compaction
