#include "engine/transaction/read_set.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/write/recent_writes.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Confined to one thread at a time.
class RecordingIterator final : public Iterator {
 public:
  RecordingIterator(std::unique_ptr<Iterator> base, TreeRef tree, std::shared_ptr<ReadSet> reads,
                    const ReadOptions& options)
      : base_(std::move(base)),
        tree_(std::move(tree)),
        reads_(std::move(reads)),
        lower_(options.lower_bound),
        upper_(options.upper_bound) {}

  bool Valid() const override { return recorded_ && base_->Valid(); }
  std::string_view key() const override { return base_->key(); }
  std::string_view value() const override { return base_->value(); }
  absl::Status status() const override { return recorded_ ? base_->status() : OutOfMemory(); }

  void SeekToFirst() override {
    base_->SeekToFirst();
    Record([&] { StartForward(lower_); });
  }
  void SeekToLast() override {
    base_->SeekToLast();
    Record([&] { StartBackward(upper_, false); });
  }
  void Seek(std::string_view target) override {
    Record([&] {
      std::string from(target);  // it may be this iterator's own key
      base_->Seek(from);
      StartForward(std::move(from));
    });
  }
  void SeekForPrev(std::string_view target) override {
    Record([&] {
      std::string from(target);
      base_->SeekForPrev(from);
      StartBackward(std::move(from), true);
    });
  }
  void Next() override {
    base_->Next();
    Record([&] {
      if (!base_->Valid()) {
        range_->end = upper_;
        range_->end_is_read = false;
      } else if (range_->end.has_value() && !Less(base_->key(), *range_->end)) {
        range_->end = std::string(base_->key());
        range_->end_is_read = true;
      }
    });
  }
  void Prev() override {
    base_->Prev();
    Record([&] {
      if (!base_->Valid()) {
        range_->begin = lower_;
      } else if (range_->begin.has_value() && Less(base_->key(), *range_->begin)) {
        range_->begin = std::string(base_->key());
      }
    });
  }

 private:
  // A read that cannot be recorded must not be used.
  template <typename Body>
  void Record(const Body& body) {
    recorded_ = IfMemoryAllows(body);
  }
  void StartForward(std::optional<std::string> begin) {
    ReadRange range;
    range.begin = std::move(begin);
    range.end_is_read = base_->Valid();
    range.end = base_->Valid() ? std::string(base_->key()) : upper_;
    range_ = reads_->AddRange(tree_, std::move(range));
  }
  void StartBackward(std::optional<std::string> end, bool end_is_read) {
    ReadRange range;
    range.begin = base_->Valid() ? std::string(base_->key()) : lower_;
    range.end = std::move(end);
    range.end_is_read = end_is_read;
    range_ = reads_->AddRange(tree_, std::move(range));
  }
  bool Less(std::string_view a, std::string_view b) const { return tree_->order().Less(a, b); }

  const std::unique_ptr<Iterator> base_;
  const TreeRef tree_;
  const std::shared_ptr<ReadSet> reads_;
  const std::optional<std::string> lower_, upper_;
  std::shared_ptr<ReadRange> range_;  // of the iteration since the last seek
  bool recorded_ = true;
};

}  // namespace

ReadSet::Part& ReadSet::PartOf(const TreeRef& tree) {
  Part& part = parts_[tree->id()];
  part.tree = tree;
  return part;
}

std::shared_ptr<ReadRange> ReadSet::AddRange(const TreeRef& tree, ReadRange range) {
  auto added = std::make_shared<ReadRange>(std::move(range));
  PartOf(tree).ranges.push_back(added);
  return added;
}

bool ReadSet::has_ranges() const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const auto& part) { return !part.second.ranges.empty(); });
}

absl::Status ReadSet::Check(SequenceNumber since) const {
  for (const auto& [id, part] : parts_) {
    const ChangeFinder finder(part.tree, since);
    for (const std::string& key : part.keys) RETURN_IF_ERROR(finder.CheckKey(key));
    for (const auto& range : part.ranges) RETURN_IF_ERROR(finder.CheckRange(*range));
  }
  return absl::OkStatus();
}

absl::Status ReadSet::CheckFamilies() const {
  for (const auto& [id, part] : parts_) {
    RETURN_IF_ERROR(ChangeFinder(part.tree, 0).CheckFamily());
  }
  return absl::OkStatus();
}

void ReadSet::AppendSlots(std::vector<uint32_t>* slots) const {
  for (const auto& [id, part] : parts_) {
    for (const std::string& key : part.keys) {
      slots->push_back(RecentWrites::SlotOf(id, part.tree->order().Hash(key)));
    }
  }
}

std::unique_ptr<Iterator> NewRecordingIterator(std::unique_ptr<Iterator> base, TreeRef tree,
                                               std::shared_ptr<ReadSet> reads,
                                               const ReadOptions& options) {
  return std::make_unique<RecordingIterator>(std::move(base), std::move(tree), std::move(reads),
                                             options);
}

}  // namespace cambium::engine
