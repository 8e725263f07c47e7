#include "compaction/run_iterator.h"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

namespace cambium::compaction {
namespace {

using manifest::FileRef;

// Invariant: Valid() is true exactly if table_ is open, ok, and Valid(), and this entry is its
// entry. Thread-compatible.
class RunIterator final : public InternalIterator {
 public:
  RunIterator(const KeyOrder& order, RunSource source)
      : order_(order), source_(std::move(source)), files_(source_.files) {
    assert(source_.open != nullptr);
  }

  void SeekToFirst() override {
    Open(0);
    if (table_ != nullptr) table_->SeekToFirst();
    SettleForward();
  }

  void SeekToLast() override {
    Open(files_.empty() ? 0 : files_.size() - 1);
    if (table_ != nullptr) table_->SeekToLast();
    SettleBackward();
  }

  void Seek(std::string_view key, Trailer trailer) override {
    const auto first = std::partition_point(files_.begin(), files_.end(), [&](const FileRef& file) {
      return file->EndsBefore(key, order_);
    });
    Open(static_cast<size_t>(first - files_.begin()));
    if (table_ != nullptr) table_->Seek(key, trailer);
    SettleForward();
  }

  void SeekForPrev(std::string_view key, Trailer trailer) override {
    const auto after = std::partition_point(files_.begin(), files_.end(), [&](const FileRef& file) {
      return !order_.Less(key, file->smallest_key);
    });
    // There is nothing before the first file: files_.size() means no file.
    Open(after == files_.begin() ? files_.size() : static_cast<size_t>(after - files_.begin()) - 1);
    if (table_ != nullptr) table_->SeekForPrev(key, trailer);
    SettleBackward();
  }

  void Next() override {
    assert(Valid() && table_ != nullptr);
    table_->Next();
    SettleForward();
  }

  void Prev() override {
    assert(Valid() && table_ != nullptr);
    table_->Prev();
    SettleBackward();
  }

  absl::Status status() const override { return status_; }

 private:
  // Makes files_[index] the open table; none if the file does not exist or cannot be opened.
  void Open(size_t index) {
    status_ = absl::OkStatus();
    if (index >= files_.size()) {
      table_.reset();
      return;
    }
    if (table_ != nullptr && index_ == index) return;
    table_.reset();
    index_ = index;
    absl::StatusOr<std::unique_ptr<InternalIterator>> table = source_.open(index);
    if (table.ok()) {
      table_ = *std::move(table);
      assert(table_ != nullptr);
    } else {
      Fail(table.status());
    }
  }

  void Fail(const absl::Status& error) {
    assert(!error.ok());
    status_ = error;
    if (source_.on_error) source_.on_error(index_, error);
  }

  // Returns true if iteration has reached the end of a valid table.
  bool PastTable() {
    if (table_ == nullptr || table_->Valid()) return false;
    const absl::Status status = table_->status();
    if (!status.ok()) Fail(status);
    return status.ok();
  }

  void SettleForward() {
    while (PastTable()) {
      Open(index_ + 1);
      if (table_ != nullptr) table_->SeekToFirst();
    }
    TakeEntry();
  }

  void SettleBackward() {
    while (PastTable()) {
      Open(index_ == 0 ? files_.size() : index_ - 1);
      if (table_ != nullptr) table_->SeekToLast();
    }
    TakeEntry();
  }

  void TakeEntry() {
    if (table_ != nullptr && table_->Valid()) {
      SetEntry(table_->key(), table_->trailer(), table_->value());
    } else {
      SetInvalid();
    }
  }

  const KeyOrder order_;
  const RunSource source_;
  const std::span<const FileRef> files_;  // source_.files
  std::unique_ptr<InternalIterator> table_;
  size_t index_ = 0;  // of table_, if it is open
  absl::Status status_;
};

}  // namespace

std::unique_ptr<InternalIterator> NewRunIterator(const KeyOrder& order, RunSource source) {
  return std::make_unique<RunIterator>(order, std::move(source));
}

}  // namespace cambium::compaction
