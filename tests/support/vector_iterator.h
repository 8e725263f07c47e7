// An iterator over sorted entries in memory.
#ifndef CAMBIUM_TESTS_SUPPORT_VECTOR_ITERATOR_H_
#define CAMBIUM_TESTS_SUPPORT_VECTOR_ITERATOR_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/internal_iterator.h"
#include "base/keys.h"

namespace cambium {

// One entry, owned. Plain data.
struct OwnedEntry {
  std::string key;
  Trailer trailer = 0;
  std::string value;
};

// Seeks require that the entries are in the order of base/keys.h under `order`, no two with the
// same key and trailer; iteration returns them in their given order, so tests can use a wrong
// order. Thread-compatible.
class VectorIterator final : public InternalIterator {
 public:
  VectorIterator(const KeyOrder& order, std::vector<OwnedEntry> entries)
      : order_(order), entries_(std::move(entries)) {}

  void SeekToFirst() override { StandAt(0); }
  void SeekToLast() override { StandAt(entries_.size() - 1); }
  void Seek(std::string_view key, Trailer trailer) override { StandAt(CountBefore(key, trailer)); }
  void SeekForPrev(std::string_view key, Trailer trailer) override {
    const size_t at = CountBefore(key, trailer);
    const bool found = at < entries_.size() && Compare(entries_[at], key, trailer) == 0;
    StandAt(found ? at : at - 1);
  }
  void Next() override { StandAt(index_ + 1); }
  void Prev() override { StandAt(index_ - 1); }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  int Compare(const OwnedEntry& entry, std::string_view key, Trailer trailer) const {
    return order_.CompareEntries(entry.key, entry.trailer, key, trailer);
  }

  // Returns how many entries are before (key, trailer).
  size_t CountBefore(std::string_view key, Trailer trailer) const {
    const auto at = std::partition_point(
        entries_.begin(), entries_.end(),
        [&](const OwnedEntry& entry) { return Compare(entry, key, trailer) < 0; });
    return static_cast<size_t>(at - entries_.begin());
  }

  // One before the first wraps around, and is outside of the range like one after the last.
  void StandAt(size_t index) {
    index_ = index;
    if (index >= entries_.size()) {
      SetInvalid();
    } else {
      SetEntry(entries_[index].key, entries_[index].trailer, entries_[index].value);
    }
  }

  const KeyOrder order_;
  const std::vector<OwnedEntry> entries_;
  size_t index_ = 0;
};

inline std::unique_ptr<InternalIterator> NewVectorIterator(const KeyOrder& order,
                                                           std::vector<OwnedEntry> entries) {
  return std::make_unique<VectorIterator>(order, std::move(entries));
}

}  // namespace cambium

#endif  // CAMBIUM_TESTS_SUPPORT_VECTOR_ITERATOR_H_
