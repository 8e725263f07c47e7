// TombstoneCursor: a position among the range tombstones of one memtable or one run.
//
// The position is a segment: a range of keys over which the same tombstones extend. Therefore an
// iterator looks for tombstones once per segment, not once per entry. The tombstones of a run are
// those of its files, each inside of its file's range. A file's tombstones are read when the cursor
// reaches the file: a run costs the same to open for any number of files.
#ifndef CAMBIUM_ENGINE_READ_TOMBSTONE_CURSOR_H_
#define CAMBIUM_ENGINE_READ_TOMBSTONE_CURSOR_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/keys.h"
#include "base/range_tombstones.h"
#include "engine/state/read_view.h"

namespace cambium::engine {

// Thread-compatible.
class TombstoneCursor {
 public:
  TombstoneCursor() = default;
  TombstoneCursor(const TombstoneCursor&) = delete;
  TombstoneCursor& operator=(const TombstoneCursor&) = delete;
  virtual ~TombstoneCursor() = default;

  // Move to the segment just after the cut (for kBefore, the one that contains its key), and just
  // before it. Return an error of reading a table; then there is no position.
  virtual absl::Status MoveAfter(const KeyCut& cut) = 0;
  virtual absl::Status MoveBefore(const KeyCut& cut) = 0;

  // Return the segment. The cuts live as long as the view of the cursor.
  const KeyCut& begin() const { return begin_; }
  const KeyCut& end() const { return end_; }
  // Returns the newest visible tombstone over the segment, or 0.
  SequenceNumber newest() const { return newest_; }

 protected:
  void Set(const KeyCut& begin, const KeyCut& end, SequenceNumber newest) {
    begin_ = begin;
    end_ = end;
    newest_ = newest;
  }

 private:
  KeyCut begin_, end_;
  SequenceNumber newest_ = 0;
};

// Return cursors over the tombstones that are visible at `sequence`. The view of the run must
// outlive the cursor.
std::unique_ptr<TombstoneCursor> NewIndexCursor(std::shared_ptr<const TombstoneIndex> index,
                                                SequenceNumber sequence);
std::unique_ptr<TombstoneCursor> NewRunCursor(const KeyOrder& order, const RunView& run,
                                              SequenceNumber sequence);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_READ_TOMBSTONE_CURSOR_H_
