#include "engine/transaction/overlay_iterator.h"

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/internal_iterator.h"
#include "base/key_fold.h"
#include "util/out_of_memory.h"

namespace cambium::engine {
namespace {

constexpr Trailer kNewestTrailer = UINT64_MAX;
constexpr Trailer kOldestTrailer = 0;

// Moves over the keys, not the versions, of the own writes. Valid() is at the newest version of a
// key. Each move is a search in memory. Confined to one thread at a time.
class OwnKeys {
 public:
  OwnKeys(std::shared_ptr<const OwnTable> own, std::optional<std::string> lower,
          std::optional<std::string> upper)
      : own_(std::move(own)),
        lower_(std::move(lower)),
        upper_(std::move(upper)),
        entries_(own_->entries.NewIterator()) {}

  const KeyOrder& order() const { return own_->tree->order(); }
  const MergeOperator* merge_operator() const { return own_->tree->options().merge_operator.get(); }
  bool Valid() const { return entries_->Valid() && InBounds(); }
  std::string_view key() const { return entries_->key(); }

  // Move to the first key >= target, or > target.
  void SeekAtOrAfter(std::string_view target) {
    const bool below = lower_.has_value() && order().Less(target, *lower_);
    entries_->Seek(below ? *lower_ : target, kNewestTrailer);
  }
  void SeekAfter(std::string_view target) {
    entries_->Seek(target, kOldestTrailer);  // no version has that trailer
  }
  // Move to the last key <= target, or < target.
  void SeekAtOrBefore(std::string_view target) {
    if (upper_.has_value() && !order().Less(target, *upper_)) return SeekBefore(*upper_);
    entries_->SeekForPrev(target, kOldestTrailer);
    ToNewestVersion();
  }
  void SeekBefore(std::string_view target) {
    entries_->SeekForPrev(target, kNewestTrailer);
    ToNewestVersion();
  }
  void SeekToFirst() {
    if (lower_.has_value()) return SeekAtOrAfter(*lower_);
    entries_->SeekToFirst();
  }
  void SeekToLast() {
    if (upper_.has_value()) return SeekBefore(*upper_);
    entries_->SeekToLast();
    ToNewestVersion();
  }

  // Steps `fold` over the versions of the current key, newest first, and returns to the newest.
  void Fold(KeyFold* fold) {
    const std::string key(entries_->key());
    while (!fold->decided() && entries_->Valid() && order().Equal(entries_->key(), key)) {
      fold->Step(entries_->trailer(), entries_->value());
      entries_->Next();
    }
    if (fold->state() == KeyFold::State::kValue) fold->KeepValue();
    entries_->Seek(key, kNewestTrailer);
  }

 private:
  bool InBounds() const {
    return (!lower_.has_value() || !order().Less(key(), *lower_)) &&
           (!upper_.has_value() || order().Less(key(), *upper_));
  }
  void ToNewestVersion() {
    if (!entries_->Valid()) return;
    const std::string key(entries_->key());
    entries_->Seek(key, kNewestTrailer);
  }

  std::shared_ptr<const OwnTable> own_;
  std::optional<std::string> lower_, upper_;
  std::unique_ptr<InternalIterator> entries_;  // of `own_`
};

// Confined to one thread at a time.
class OverlayIterator final : public Iterator {
 public:
  OverlayIterator(std::unique_ptr<Iterator> base, OwnKeys own, SequenceNumber last)
      : base_(std::move(base)),
        own_(std::move(own)),
        fold_(last, own_.merge_operator()),
        last_(last) {}

  bool Valid() const override { return valid_; }
  std::string_view key() const override {
    assert(valid_);
    return key_;
  }
  std::string_view value() const override {
    assert(valid_);
    return from_base_ ? base_->value() : std::string_view(value_);
  }
  absl::Status status() const override { return status_; }

  void SeekToFirst() override {
    Move(Direction::kForward, [&] {
      base_->SeekToFirst();
      own_.SeekToFirst();
    });
  }
  void SeekToLast() override {
    Move(Direction::kBackward, [&] {
      base_->SeekToLast();
      own_.SeekToLast();
    });
  }
  void Seek(std::string_view target) override {
    Move(Direction::kForward, [&] {
      key_.assign(target);  // `target` may be this iterator's own key
      base_->Seek(key_);
      own_.SeekAtOrAfter(key_);
    });
  }
  void SeekForPrev(std::string_view target) override {
    Move(Direction::kBackward, [&] {
      key_.assign(target);
      base_->SeekForPrev(key_);
      own_.SeekAtOrBefore(key_);
    });
  }
  void Next() override {
    assert(valid_);
    const bool turned = direction_ != Direction::kForward;
    Move(Direction::kForward, [&] {
      if (turned) base_->Seek(key_);
      if (base_->Valid() && own_.order().Equal(base_->key(), key_)) base_->Next();
      own_.SeekAfter(key_);
    });
  }
  void Prev() override {
    assert(valid_);
    const bool turned = direction_ != Direction::kBackward;
    Move(Direction::kBackward, [&] {
      if (turned) base_->SeekForPrev(key_);
      if (base_->Valid() && own_.order().Equal(base_->key(), key_)) base_->Prev();
      own_.SeekBefore(key_);
    });
  }

 private:
  enum class Direction : uint8_t { kForward, kBackward };

  template <typename Body>
  void Move(Direction direction, const Body& body) {
    const bool done = IfMemoryAllows([&] {
      direction_ = direction;
      body();
      Find();
    });
    if (!done) [[unlikely]]
      End(OutOfMemory());
  }

  // Finds the next key that has a value, at or beyond those of the inputs.
  void Find() {
    while (true) {
      // Keys beyond the one that could not be read must not be shown.
      if (!base_->Valid() && !base_->status().ok()) return End(base_->status());
      const bool base_is_there = base_->Valid();
      if (!own_.Valid()) return base_is_there ? ShowBase() : End(absl::OkStatus());
      const int order = base_is_there ? own_.order().Compare(own_.key(), base_->key()) : 0;
      const bool base_first =
          base_is_there && (direction_ == Direction::kForward ? order > 0 : order < 0);
      if (base_first) return ShowBase();
      if (ShowOwn(base_is_there && order == 0)) return;
      if (base_is_there && order == 0) StepBase();
      StepOwn();
    }
  }
  void StepBase() { direction_ == Direction::kForward ? base_->Next() : base_->Prev(); }
  void StepOwn() {
    const std::string key(own_.key());
    direction_ == Direction::kForward ? own_.SeekAfter(key) : own_.SeekBefore(key);
  }

  void ShowBase() {
    key_.assign(base_->key());
    from_base_ = valid_ = true;
    status_ = absl::OkStatus();
  }
  // Shows the value of the own key, which `base_` has, too, if `over_base`. Returns false if the
  // key does not exist.
  bool ShowOwn(bool over_base) {
    fold_.Reset(last_);
    own_.Fold(&fold_);
    if (fold_.state() == KeyFold::State::kMore && over_base) {
      if (!fold_.has_operands()) return ShowBase(), true;
      fold_.Step(MakeTrailer(0, Kind::kValue), base_->value());
    }
    if (fold_.state() == KeyFold::State::kDeleted) return false;
    key_.assign(own_.key());
    if (fold_.state() == KeyFold::State::kValue) {
      value_.assign(fold_.value());
    } else if (fold_.has_operands()) {
      if (absl::Status merged = fold_.Merge(key_, &value_); !merged.ok()) {
        return End(std::move(merged)), true;
      }
    } else {
      return false;  // all its versions are newer than the iterator
    }
    valid_ = true;
    from_base_ = false;
    status_ = absl::OkStatus();
    return true;
  }
  void End(absl::Status status) {
    valid_ = false;
    status_ = std::move(status);
  }

  const std::unique_ptr<Iterator> base_;
  OwnKeys own_;
  KeyFold fold_;
  const SequenceNumber last_;
  std::string key_, value_;  // of the current entry; the value only if it is not the base's
  absl::Status status_;
  Direction direction_ = Direction::kForward;
  bool valid_ = false;
  bool from_base_ = false;
};

}  // namespace

std::unique_ptr<Iterator> NewOverlayIterator(std::unique_ptr<Iterator> base,
                                             std::shared_ptr<const OwnTable> own,
                                             SequenceNumber last, const ReadOptions& options) {
  return std::make_unique<OverlayIterator>(
      std::move(base), OwnKeys(std::move(own), options.lower_bound, options.upper_bound), last);
}

}  // namespace cambium::engine
