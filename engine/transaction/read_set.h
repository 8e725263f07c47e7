// ReadSet: what a transaction has read, and must find unchanged at its commit.
//
// An iterator reads a range, from its seek to the farthest key that it was at, or to the end:
//
//   Seek("c")           at "d"      ["c", "d"]
//   Next()              at "k"      ["c", "k"]
//   Next()              at the end  ["c", end)       no key may appear there
#ifndef CAMBIUM_ENGINE_TRANSACTION_READ_SET_H_
#define CAMBIUM_ENGINE_TRANSACTION_READ_SET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "cambium/iterator.h"
#include "cambium/options.h"
#include "engine/transaction/change_finder.h"
#include "engine/tree/trees.h"

namespace cambium::engine {

// Confined to its transaction, and the iterators of it.
class ReadSet {
 public:
  ReadSet() = default;
  ReadSet(const ReadSet&) = delete;
  ReadSet& operator=(const ReadSet&) = delete;

  void AddKey(const TreeRef& tree, std::string_view key) { PartOf(tree).keys.emplace(key); }
  // Adds a range that the caller may extend until the transaction ends.
  std::shared_ptr<ReadRange> AddRange(const TreeRef& tree, ReadRange range);

  bool has_ranges() const;

  // Return ok, or Aborted if something was written after `since`, or a family was dropped; see
  // ChangeFinder.
  absl::Status Check(SequenceNumber since) const;
  absl::Status CheckFamilies() const;
  // Appends the slots of the keys; see RecentWrites.
  void AppendSlots(std::vector<uint32_t>* slots) const;

 private:
  // The reads in one tree.
  struct Part {
    TreeRef tree;
    std::unordered_set<std::string> keys;
    std::vector<std::shared_ptr<const ReadRange>> ranges;
  };

  Part& PartOf(const TreeRef& tree);

  std::map<ColumnFamilyId, Part> parts_;
};

// Returns an iterator that moves `base`, which has the bounds of `options`, and adds what it reads
// to `reads`.
std::unique_ptr<Iterator> NewRecordingIterator(std::unique_ptr<Iterator> base, TreeRef tree,
                                               std::shared_ptr<ReadSet> reads,
                                               const ReadOptions& options);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TRANSACTION_READ_SET_H_
