// SliceCursor: a cursor for the iterators of LevelDB and RocksDB, which have the same interface.
#ifndef CAMBIUM_BENCHMARKS_ENGINES_SLICE_CURSOR_H_
#define CAMBIUM_BENCHMARKS_ENGINES_SLICE_CURSOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "benchmarks/engines/adapter.h"
#include "benchmarks/engines/engine.h"

namespace cambium::bench {

// `Iterator` and `Slice` belong to one engine. Confined to its session's thread.
template <typename Iterator, typename Slice>
class SliceCursor final : public Cursor {
 public:
  explicit SliceCursor(Iterator* iterator) : iterator_(iterator) {}

  void Seek(std::string_view key) override { iterator_->Seek(Slice(key.data(), key.size())); }
  void SeekToFirst() override { iterator_->SeekToFirst(); }
  void SeekToLast() override { iterator_->SeekToLast(); }
  std::optional<std::string_view> Key() override {
    if (!iterator_->Valid()) return std::nullopt;
    return ToView(iterator_->key());
  }
  Scanned Read(uint64_t limit, Direction direction, const EntryCheck& check) override {
    return direction == Direction::kForward ? Walk<Direction::kForward>(limit, check)
                                            : Walk<Direction::kReverse>(limit, check);
  }
  absl::Status status() const override {
    const auto status = iterator_->status();
    return status.ok() ? absl::OkStatus() : Failure("scan", status.ToString());
  }

 private:
  static std::string_view ToView(const Slice& slice) { return {slice.data(), slice.size()}; }

  template <Direction kDirection>
  Scanned Walk(uint64_t limit, const EntryCheck& check) {
    Scanned scanned;
    while (scanned.entries < limit && iterator_->Valid()) {
      const std::string_view key = ToView(iterator_->key());
      const std::string_view value = ToView(iterator_->value());
      ++scanned.entries;
      scanned.bytes += key.size() + value.size();
      if (check) check(key, value);
      kDirection == Direction::kForward ? iterator_->Next() : iterator_->Prev();
    }
    return scanned;
  }

  const std::unique_ptr<Iterator> iterator_;
};

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_ENGINES_SLICE_CURSOR_H_
