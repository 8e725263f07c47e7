#include "engine/read/tombstone_cursor.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Thread-compatible.
class IndexCursor final : public TombstoneCursor {
 public:
  IndexCursor(std::shared_ptr<const TombstoneIndex> index, SequenceNumber sequence)
      : index_(std::move(index)), sequence_(sequence) {}

  absl::Status MoveAfter(const KeyCut& cut) override {
    const bool is_key = cut.place == KeyCut::Place::kBefore;
    return Take(is_key ? index_->Find(cut.key) : index_->FindAfter(cut));
  }
  absl::Status MoveBefore(const KeyCut& cut) override { return Take(index_->FindBefore(cut)); }

 private:
  absl::Status Take(size_t segment) {
    Set(index_->begin(segment), index_->end(segment), index_->Newest(segment, sequence_));
    return absl::OkStatus();
  }

  const std::shared_ptr<const TombstoneIndex> index_;
  const SequenceNumber sequence_;
};

// Thread-compatible.
class RunCursor final : public TombstoneCursor {
 public:
  RunCursor(const KeyOrder& order, const RunView& run, SequenceNumber sequence)
      : order_(order), slice_(run.All()), with_(run.run->with_range_deletes), sequence_(sequence) {}

  absl::Status MoveAfter(const KeyCut& cut) override {
    const auto next = std::partition_point(with_.begin(), with_.end(), [&](uint32_t file) {
      return CompareCuts(order_, slice_.files[file]->end(), cut) <= 0;
    });
    const bool inside =
        next != with_.end() && CompareCuts(order_, slice_.files[*next]->begin(), cut) <= 0;
    if (!inside) return TakeGap(static_cast<size_t>(next - with_.begin()));
    ASSIGN_OR_RETURN(const TombstoneIndex* const index, IndexOf(*next));
    TakeSegment(*slice_.files[*next], *index, index->FindAfter(cut));
    return absl::OkStatus();
  }

  absl::Status MoveBefore(const KeyCut& cut) override {
    const auto next = std::partition_point(with_.begin(), with_.end(), [&](uint32_t file) {
      return CompareCuts(order_, slice_.files[file]->end(), cut) < 0;
    });
    const bool inside =
        next != with_.end() && CompareCuts(order_, slice_.files[*next]->begin(), cut) < 0;
    if (!inside) return TakeGap(static_cast<size_t>(next - with_.begin()));
    ASSIGN_OR_RETURN(const TombstoneIndex* const index, IndexOf(*next));
    TakeSegment(*slice_.files[*next], *index, index->FindBefore(cut));
    return absl::OkStatus();
  }

 private:
  // Takes the range without tombstones before file with_[next].
  absl::Status TakeGap(size_t next) {
    Set(next == 0 ? KeyCut::Start() : slice_.files[with_[next - 1]]->end(),
        next == with_.size() ? KeyCut::End() : slice_.files[with_[next]]->begin(), 0);
    return absl::OkStatus();
  }

  // The segments without tombstones at the ends of an index extend to the ends of the file.
  void TakeSegment(const manifest::FileMetadata& file, const TombstoneIndex& index,
                   size_t segment) {
    KeyCut begin = index.begin(segment);
    KeyCut end = index.end(segment);
    if (CompareCuts(order_, begin, file.begin()) < 0) begin = file.begin();
    if (CompareCuts(order_, file.end(), end) < 0) end = file.end();
    Set(begin, end, index.Newest(segment, sequence_));
  }

  absl::StatusOr<const TombstoneIndex*> IndexOf(size_t file) const {
    const LiveTable& table = *slice_.tables[file];
    absl::StatusOr<const TombstoneIndex*> index = table.RangeDeletes();
    assert(!index.ok() || *index != nullptr);
    return index;
  }

  const KeyOrder order_;
  const TableSlice slice_;
  const std::span<const uint32_t> with_;  // the files of the slice that have tombstones
  const SequenceNumber sequence_;
};

}  // namespace

std::unique_ptr<TombstoneCursor> NewIndexCursor(std::shared_ptr<const TombstoneIndex> index,
                                                SequenceNumber sequence) {
  return std::make_unique<IndexCursor>(std::move(index), sequence);
}

std::unique_ptr<TombstoneCursor> NewRunCursor(const KeyOrder& order, const RunView& run,
                                              SequenceNumber sequence) {
  return std::make_unique<RunCursor>(order, run, sequence);
}

}  // namespace cambium::engine
