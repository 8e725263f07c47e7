#include "engine/read/undeleted_iterator.h"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Positions before every version of a key, and after every version.
constexpr Trailer kNewestTrailer = UINT64_MAX;
constexpr Trailer kOldestTrailer = 0;

// Invariant: between begin_ and end_ the same tombstones extend over every key. Thread-compatible.
class UndeletedIterator final : public InternalIterator {
 public:
  UndeletedIterator(const KeyOrder& order, std::unique_ptr<InternalIterator> source,
                    ConcernedBy tombstones)
      : order_(order), source_(std::move(source)), tombstones_(std::move(tombstones)) {}

  void SeekToFirst() override {
    status_ = absl::OkStatus();
    if (!Enter(KeyCut::Start())) return;
    if (covered_) {
      if (!SkipForward()) return;
    } else {
      source_->SeekToFirst();
    }
    SettleForward();
  }

  void SeekToLast() override {
    status_ = absl::OkStatus();
    source_->SeekToLast();
    SettleBackward();
  }

  void Seek(std::string_view key, Trailer trailer) override {
    status_ = absl::OkStatus();
    // If the target is covered, its block is not read.
    if (!Enter(KeyCut::Before(key))) return;
    if (covered_) {
      if (!SkipForward()) return;
    } else {
      source_->Seek(key, trailer);
    }
    SettleForward();
  }

  void SeekForPrev(std::string_view key, Trailer trailer) override {
    status_ = absl::OkStatus();
    if (!Enter(KeyCut::Before(key))) return;
    if (covered_) {
      if (!SkipBackward()) return;
    } else {
      source_->SeekForPrev(key, trailer);
    }
    SettleBackward();
  }

  void Next() override {
    assert(Valid());
    source_->Next();
    SettleForward();
  }

  void Prev() override {
    assert(Valid());
    source_->Prev();
    SettleBackward();
  }

  absl::Status status() const override { return status_.ok() ? source_->status() : status_; }

 private:
  bool Fail(absl::Status status) {
    status_ = std::move(status);
    SetInvalid();
    return false;
  }

  // Finds the segment just after the cut, and what covers its entries. Returns false after an
  // error.
  bool Enter(const KeyCut& cut) {
    begin_ = KeyCut::Start();
    end_ = KeyCut::End();
    covered_ = false;
    own_ = 0;
    for (const auto& cursor : tombstones_.newer) {
      if (!EnterOne(cut, cursor.get())) return false;
      covered_ = covered_ || cursor->newest() != 0;
    }
    for (const auto& cursor : tombstones_.own) {
      if (!EnterOne(cut, cursor.get())) return false;
      own_ = std::max(own_, cursor->newest());
    }
    return true;
  }
  bool EnterOne(const KeyCut& cut, TombstoneCursor* cursor) {
    absl::Status status = cursor->MoveAfter(cut);
    if (!status.ok()) return Fail(std::move(status));
    if (CompareCuts(order_, begin_, cursor->begin()) < 0) begin_ = cursor->begin();
    if (CompareCuts(order_, cursor->end(), end_) < 0) end_ = cursor->end();
    return true;
  }

  bool Contains(std::string_view key) const {
    return IsAfterCut(order_, key, begin_) && !IsAfterCut(order_, key, end_);
  }

  // Moves the source to the first entry after the tombstones of newer sources that extend over the
  // segment, or over the ranges next to it. Returns false if there is none, or after an error.
  bool SkipForward() {
    for (bool longer = true; longer;) {
      longer = false;
      for (const auto& cursor : tombstones_.newer) {
        absl::Status status = cursor->MoveAfter(end_);
        if (!status.ok()) return Fail(std::move(status));
        if (cursor->newest() == 0) continue;
        end_ = cursor->end();
        longer = true;
      }
    }
    if (!end_.has_key()) return End();
    source_->Seek(end_.key, end_.place == KeyCut::Place::kBefore ? kNewestTrailer : kOldestTrailer);
    while (source_->Valid() && !IsAfterCut(order_, source_->key(), end_)) source_->Next();
    return true;
  }

  bool SkipBackward() {
    for (bool longer = true; longer;) {
      longer = false;
      for (const auto& cursor : tombstones_.newer) {
        absl::Status status = cursor->MoveBefore(begin_);
        if (!status.ok()) return Fail(std::move(status));
        if (cursor->newest() == 0) continue;
        begin_ = cursor->begin();
        longer = true;
      }
    }
    if (!begin_.has_key()) return End();
    source_->SeekForPrev(begin_.key,
                         begin_.place == KeyCut::Place::kBefore ? kNewestTrailer : kOldestTrailer);
    return true;
  }

  bool End() {
    SetInvalid();
    return false;
  }

  void SettleForward() {
    while (source_->Valid()) {
      if (!Contains(source_->key()) && !Enter(KeyCut::Before(source_->key()))) return;
      if (covered_) {
        if (!SkipForward()) return;
      } else if (TrailerSequence(source_->trailer()) < own_) {
        source_->Next();
      } else {
        return Take();
      }
    }
    SetInvalid();
  }

  void SettleBackward() {
    while (source_->Valid()) {
      if (!Contains(source_->key()) && !Enter(KeyCut::Before(source_->key()))) return;
      if (covered_) {
        if (!SkipBackward()) return;
      } else if (TrailerSequence(source_->trailer()) < own_) {
        source_->Prev();
      } else {
        return Take();
      }
    }
    SetInvalid();
  }

  void Take() { SetEntry(source_->key(), source_->trailer(), source_->value()); }

  const KeyOrder order_;
  const std::unique_ptr<InternalIterator> source_;
  const ConcernedBy tombstones_;
  KeyCut begin_ = KeyCut::Start();
  KeyCut end_ = KeyCut::Start();  // no segment yet
  bool covered_ = false;          // by a newer source, over the whole segment
  SequenceNumber own_ = 0;        // the newest own tombstone over the segment
  absl::Status status_;
};

}  // namespace

std::unique_ptr<InternalIterator> NewUndeletedIterator(const KeyOrder& order,
                                                       std::unique_ptr<InternalIterator> source,
                                                       ConcernedBy tombstones) {
  return std::make_unique<UndeletedIterator>(order, std::move(source), std::move(tombstones));
}

}  // namespace cambium::engine
