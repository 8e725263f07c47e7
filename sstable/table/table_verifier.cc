#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/range_tombstones.h"
#include "sstable/block/block.h"
#include "sstable/table/range_delete_block.h"
#include "sstable/table/table_reader.h"
#include "util/checksum.h"
#include "util/status_macros.h"

namespace cambium::sstable {
namespace {

constexpr size_t kReadSize = size_t{1} << 20;

// Reads every byte of a table and checks everything that can be checked: checksums (as every read
// does), the order of entries, separators, filters against the entries, the properties against the
// counts, and the digest of the whole file. Used once. Confined to one thread.
class TableVerifier {
 public:
  // Both must outlive it.
  TableVerifier(const TableBlocks* blocks, const TableProperties* properties)
      : blocks_(blocks),
        properties_(properties),
        reader_(&blocks->file(), kReadSize),
        entry_(blocks->order()) {}

  absl::Status Verify(std::optional<uint64_t> expected_digest) {
    for (size_t partition = 0; partition < blocks_->partition_count(); ++partition) {
      RETURN_IF_ERROR(CheckPartition(partition));
    }
    RETURN_IF_ERROR(CheckProperties());
    return expected_digest.has_value() ? CheckDigest(*expected_digest) : absl::OkStatus();
  }

 private:
  absl::Status CheckPartition(size_t partition) {
    ASSIGN_OR_RETURN(const FrameLease index, blocks_->ReadIndex(partition));
    FrameLease filter;
    if (blocks_->top().partition(partition).filter.size != 0) {
      ASSIGN_OR_RETURN(filter, blocks_->ReadFilter(partition));
    }
    const IndexView& view = index->index();
    for (size_t block = 0; block < view.count(); ++block) {
      RETURN_IF_ERROR(CheckBlock({.partition = partition, .index = block}, view, filter.get()));
    }
    ++counted_.partitions;
    if (blocks_->order().Compare(separator_, blocks_->top().separator(partition)) == 0) {
      return absl::OkStatus();
    }
    return blocks_->WithKeyRange(
        Wrong("found a separator of the top index that is not the partition's last"), partition);
  }

  absl::Status CheckBlock(const DataPlace& place, const IndexView& index, const Frame* filter) {
    const KeyOrder& order = blocks_->order();
    const absl::StatusOr<Block> block = reader_.Read(index.handle(place.index));
    if (!block.ok()) return blocks_->WithKeyRange(block.status(), place, index);
    entry_.SetBlock(*block);
    entry_.SeekToFirst();
    const bool is_first = counted_.data_blocks == 0;
    if (!is_first && order.Less(entry_.key(), separator_)) {
      return blocks_->WithKeyRange(Wrong("found a key below the separator before its block"), place,
                                   index);
    }
    for (; entry_.Valid(); entry_.Next()) {
      const absl::Status status = CheckEntry(filter);
      if (!status.ok()) return blocks_->WithKeyRange(status, place, index);
    }
    separator_ = index.separator(place.index);
    if (order.Less(separator_, last_key_)) {
      return blocks_->WithKeyRange(Wrong("found a key above its block's separator"), place, index);
    }
    ++counted_.data_blocks;
    return absl::OkStatus();
  }

  absl::Status CheckEntry(const Frame* filter) {
    const KeyOrder& order = blocks_->order();
    if (counted_.entries > 0 &&
        order.CompareEntries(last_key_, last_trailer_, entry_.key(), entry_.trailer()) >= 0) {
      return Wrong(absl::StrCat("found entry ", counted_.entries, " out of order"));
    }
    if (filter != nullptr && !filter->filter().MayContain(HashKey(entry_.key()))) {
      return Wrong(absl::StrCat("found entry ", counted_.entries, " denied by the filter"));
    }
    counted_.Count(entry_.key(), entry_.trailer(), entry_.value());
    last_key_ = entry_.key();
    last_trailer_ = entry_.trailer();
    return absl::OkStatus();
  }

  absl::Status CheckProperties() const {
    const struct {
      const char* name;
      uint64_t found, expected;
    } counts[] = {
        {"entries", counted_.entries, properties_->entries},
        {"tombstones", counted_.tombstones, properties_->tombstones},
        {"raw key bytes", counted_.raw_key_bytes, properties_->raw_key_bytes},
        {"raw value bytes", counted_.raw_value_bytes, properties_->raw_value_bytes},
        {"values with an expiry", counted_.expiring.count, properties_->expiring.count},
        {"oldest expiry", counted_.expiring.oldest_micros, properties_->expiring.oldest_micros},
        {"newest expiry", counted_.expiring.newest_micros, properties_->expiring.newest_micros},
        {"smallest sequence number", counted_.smallest_sequence, properties_->smallest_sequence},
        {"largest sequence number", counted_.largest_sequence, properties_->largest_sequence},
    };
    for (const auto& [name, found, expected] : counts) {
      if (found == expected) continue;
      return Wrong(absl::StrCat(name, " found ", found, ", expected the properties' ", expected));
    }
    if (counted_.smallest_key != properties_->smallest_key ||
        last_key_ != properties_->largest_key) {
      return Wrong("found other smallest and largest keys than the properties'");
    }
    return absl::OkStatus();
  }

  absl::Status CheckDigest(uint64_t expected_digest) const {
    const uint64_t size = blocks_->file().options().file_size;
    FileDigest digest;
    ScratchBuffer buffer;
    for (uint64_t offset = 0; offset < size;) {
      const size_t piece = static_cast<size_t>(std::min<uint64_t>(kReadSize, size - offset));
      char* const bytes = buffer.Reserve(piece);
      RETURN_IF_ERROR(blocks_->file().ReadBytes(offset, piece, bytes));
      digest.Update({bytes, piece});
      offset += piece;
    }
    if (digest.Value() == expected_digest) return absl::OkStatus();
    return Wrong(absl::StrCat("digest of ", size, " bytes found 0x",
                              absl::Hex(digest.Value(), absl::kZeroPad16), ", expected 0x",
                              absl::Hex(expected_digest, absl::kZeroPad16)));
  }

  absl::Status Wrong(const std::string& what) const {
    return absl::DataLossError(absl::StrCat("verify ", blocks_->file().options().path, ": ", what));
  }

  const TableBlocks* const blocks_;
  const TableProperties* const properties_;
  SequentialBlocks reader_;
  BlockIterator entry_;
  TableProperties counted_;  // of the entries read so far
  std::string separator_;    // of the previous block
  std::string last_key_;     // of the previous entry
  Trailer last_trailer_ = 0;
};

}  // namespace

absl::Status TableReader::Verify(std::optional<uint64_t> expected_digest) const {
  // The table in memory was checked when it was read; the file may have changed since then.
  if (range_deletes_ != nullptr) {
    ASSIGN_OR_RETURN(const FrameLease frame,
                     blocks_.file().ReadBlock(range_deletes_at_, BlockKind::kRangeDeletes));
    const auto again = DecodeRangeDeletes(blocks_.order(), frame->bytes());
    if (!again.ok()) {
      return blocks_.file().Annotate(again.status(), BlockKind::kRangeDeletes,
                                     range_deletes_at_.offset);
    }
  }
  return TableVerifier(&blocks_, &properties_).Verify(expected_digest);
}

}  // namespace cambium::sstable
