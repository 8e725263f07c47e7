// A filter partition: says of most keys that a part of a table does not hold that it does not.
//
// A Bloom filter in cache lines: all the bits of one key lie in one line of 64 bytes, so that a
// probe is one cache miss. The high half of the key's hash chooses the line, the low half times one
// odd constant a probe chooses the bit. For the same bits a key it lets through somewhat more than
// a Bloom filter without lines: about 1.0 % instead of 0.8 % at 10 bits.
//
// Format: docs/format/sstable-blocks.md, "Filter partition".
#ifndef CAMBIUM_SSTABLE_BLOCK_FILTER_PARTITION_H_
#define CAMBIUM_SSTABLE_BLOCK_FILTER_PARTITION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cambium::sstable {

inline constexpr size_t kFilterLineSize = 64;
inline constexpr uint8_t kFilterKindBlockedBloom = 1;
inline constexpr unsigned kMaxFilterProbes = 16;

// Thread-compatible.
class FilterBuilder {
 public:
  // Requires bits_per_key > 0; values are held to 1 … 100.
  explicit FilterBuilder(double bits_per_key);

  // `hash` is HashKey(key). The same hash several times in a row counts once.
  void AddHash(uint64_t hash);
  // Hashes added since the last Finish().
  size_t count() const { return hashes_.size(); }
  size_t EstimatedSize() const;

  // The partition's bytes; ready for the next partition.
  std::string Finish();

 private:
  size_t LineCount() const;

  const double bits_per_key_;
  std::vector<uint64_t> hashes_;
};

// A checked view of a partition's bytes, which must outlive it. Immutable after construction.
class FilterView {
 public:
  // DataLoss on bytes that are not a filter; Unimplemented on a kind that this release does not
  // know.
  static absl::StatusOr<FilterView> Parse(std::string_view bytes);

  // False only for a hash that was not added.
  bool MayContain(uint64_t hash) const;
  // Starts the load of the line that MayContain(hash) will look at.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(Line(hash)); }

 private:
  FilterView(const char* lines, uint32_t line_count, unsigned probes)
      : lines_(lines), line_count_(line_count), probes_(probes) {}
  const char* Line(uint64_t hash) const {
    return lines_ + (((hash >> 32) * line_count_) >> 32) * kFilterLineSize;
  }

  const char* lines_;
  uint32_t line_count_;
  unsigned probes_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_FILTER_PARTITION_H_
