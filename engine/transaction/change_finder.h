// ChangeFinder: whether a key, or a range of keys, of a tree was written after a sequence number.
//
// The result is exact, for any number: the tree has the newest version of every key, and a snapshot
// at that number, which the caller must hold, keeps flushes and compactions from dropping a newer
// deletion, or the number of a newer version, or a newer range tombstone. A range delete counts as
// a write of every key in it. Memtables and tables without newer entries are skipped. See
// docs/design/transactions.md.
#ifndef CAMBIUM_ENGINE_TRANSACTION_CHANGE_FINDER_H_
#define CAMBIUM_ENGINE_TRANSACTION_CHANGE_FINDER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/internal_iterator.h"
#include "base/keys.h"
#include "engine/state/read_view.h"
#include "engine/tree/trees.h"

namespace cambium::engine {

// Keys that were read together. Plain data.
struct ReadRange {
  std::optional<std::string> begin;  // inclusive; nullopt: from the first key
  std::optional<std::string> end;    // nullopt: to the last key
  bool end_is_read = false;          // whether `end` itself belongs to the range
};

// Confined to its thread.
class ChangeFinder {
 public:
  // Looks at the newest view of the tree: it finds every write that is visible now.
  ChangeFinder(TreeRef tree, SequenceNumber since)
      : tree_(std::move(tree)), view_(tree_->Pin()), since_(since) {}
  ChangeFinder(ChangeFinder&&) = default;

  // Returns ok, or Aborted if the family was dropped.
  absl::Status CheckFamily() const;
  // Return ok, or Aborted, which names the key; or the error of a file.
  absl::Status CheckKey(std::string_view key) const;
  absl::Status CheckRange(const ReadRange& range) const;

 private:
  absl::StatusOr<bool> KeyChanged(std::string_view key) const;
  // Returns Aborted if a newer range delete overlaps the range; or the error of a file.
  absl::Status CheckRangeDeletes(const ReadRange& range) const;
  // Returns all entries that may be newer, and many that are not.
  std::unique_ptr<InternalIterator> Candidates() const;

  TreeRef tree_;
  std::shared_ptr<const ReadView> view_;
  SequenceNumber since_;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TRANSACTION_CHANGE_FINDER_H_
