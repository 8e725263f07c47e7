#include "sstable/table/table_builder.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/expiry.h"
#include "base/range_tombstones.h"
#include "sstable/block/index_partition.h"
#include "sstable/table/range_delete_block.h"
#include "sstable/table/table_format.h"
#include "util/checksum.h"
#include "util/compression.h"
#include "util/status_macros.h"

namespace cambium::sstable {
namespace {

// The maximum number of data blocks per partition, and the size of its filter or index at which it
// is finished earlier.
constexpr size_t kBlocksPerPartition = 128;
constexpr size_t kPartitionSize = size_t{64} << 10;

// The number of bytes that are collected before they are written to the file.
constexpr size_t kWriteSize = size_t{512} << 10;

// A block flag in the index, in addition to those of the block itself: stored compressed.
constexpr uint8_t kIndexFlagCompressed = 0x80;

}  // namespace

// Writes the file's bytes in order: collects, digests, and appends them in large pieces. Confined
// to one thread at a time.
class TableBuilder::BlockWriter {
 public:
  BlockWriter(FileNumber number, std::unique_ptr<WritableFile> file)
      : number_(number), file_(std::move(file)) {}

  // Returns the offset of the next block.
  uint64_t offset() const { return written_ + buffer_.size(); }

  absl::StatusOr<BlockHandle> Append(std::string_view stored, Compression codec, BlockKind kind,
                                     size_t raw_size) {
    const BlockHandle handle = {.offset = offset(), .size = static_cast<uint32_t>(stored.size())};
    const size_t begin = buffer_.size();
    buffer_.append(stored);
    AppendTrailer({.codec = codec, .kind = kind, .raw_size = static_cast<uint32_t>(raw_size)},
                  number_, handle.offset, begin, &buffer_);
    buffer_.resize(begin + AlignBlock(buffer_.size() - begin), '\0');
    if (buffer_.size() >= kWriteSize) RETURN_IF_ERROR(Flush());
    return handle;
  }
  absl::StatusOr<BlockHandle> AppendRaw(std::string_view bytes, BlockKind kind) {
    return Append(bytes, Compression::kNone, kind, bytes.size());
  }

  // Appends the footer, the end of the file.
  absl::Status AppendFooter(const Footer& footer) {
    buffer_ += footer.Encode(offset());
    RETURN_IF_ERROR(Flush());
    RETURN_IF_ERROR(file_->Sync());
    return file_->Close();
  }

  uint64_t digest() const { return digest_.Value(); }

 private:
  absl::Status Flush() {
    digest_.Update(buffer_);
    RETURN_IF_ERROR(file_->Append(buffer_));
    written_ += buffer_.size();
    buffer_.clear();
    // Frees the buffer of a very large value.
    if (buffer_.capacity() > 4 * kWriteSize) buffer_.shrink_to_fit();
    return absl::OkStatus();
  }

  const FileNumber number_;
  const std::unique_ptr<WritableFile> file_;
  FileDigest digest_;
  std::string buffer_;  // begins at a multiple of kBlockAlignment of the file
  uint64_t written_ = 0;
};

TableBuilder::TableBuilder(const TableBuilderOptions& options, std::unique_ptr<WritableFile> file)
    : options_(options),
      writer_(std::make_unique<BlockWriter>(options.number, std::move(file))),
      data_(options.order),
      filter_(options.filter_bits_per_key > 0 && options.order.comparator_identical()
                  ? std::make_unique<FilterBuilder>(options.filter_bits_per_key)
                  : nullptr) {
  properties_.level = static_cast<uint64_t>(std::max(options.level, 0));
  properties_.comparator_name = options.order.comparator()->Name();
  properties_.compression = options.compression;
  if (filter_ != nullptr) {
    properties_.filter_bits_per_key = static_cast<uint64_t>(std::ceil(options.filter_bits_per_key));
  }
}

TableBuilder::~TableBuilder() = default;

absl::Status TableBuilder::Add(std::string_view key, Trailer trailer, std::string_view value) {
  RETURN_IF_ERROR(ended_);
  ended_ = CheckAdd(key, trailer, value);
  RETURN_IF_ERROR(ended_);
  // A large value gets its own block, so that reading its neighbors stays cheap.
  if (!data_.empty() && data_.EstimatedSize() + key.size() + value.size() >
                            options_.block_size + options_.block_size / 4) {
    RETURN_IF_ERROR(CloseBlock());
  }
  if (last_handle_.size != 0) IndexLastBlock(SeparatorBefore(key));
  const uint64_t hash = options_.order.comparator_identical() ? HashKey(key) : 0;
  data_.Add(key, trailer, value, hash);
  if (filter_ != nullptr) filter_->AddHash(hash);
  properties_.Count(key, trailer, value);
  last_trailer_ = trailer;
  return data_.EstimatedSize() >= options_.block_size ? CloseBlock() : absl::OkStatus();
}

absl::Status TableBuilder::SetRangeDeletes(std::span<const TombstoneFragment> fragments) {
  RETURN_IF_ERROR(ended_);
  assert(range_deletes_.empty());
  if (!fragments.empty()) range_deletes_ = EncodeRangeDeletes(options_.order, fragments);
  return absl::OkStatus();
}

uint64_t TableBuilder::EstimatedFileSize() const {
  return writer_->offset() + data_.EstimatedSize() + waiting_bytes_ +
         (filter_ != nullptr ? filter_->EstimatedSize() : 0) + index_.EstimatedSize() + kFooterSize;
}

absl::Status TableBuilder::CheckAdd(std::string_view key, Trailer trailer,
                                    std::string_view value) const {
  if (!StoredEntryWithinLimits(TrailerKind(trailer), key, value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "add to ", options_.path, ": found a key of ", key.size(), " and a value of ", value.size(),
        " bytes, expected at most ", kMaxKeySize, " and ", kMaxValueSize));
  }
  if (properties_.entries == 0 ||
      options_.order.CompareEntries(LastKey(), last_trailer_, key, trailer) < 0) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("add to ", options_.path, ": entry ", properties_.entries,
                                          " (sequence number ", TrailerSequence(trailer),
                                          ") is not after the one before it"));
}

absl::Status TableBuilder::CloseBlock() {
  const std::string_view raw = data_.Finish();
  std::string_view stored = raw;
  Compression codec = Compression::kNone;
  if (options_.compression == Compression::kZstd && raw.size() <= kMaxCompressedRawSize &&
      CompressZstd(raw, options_.compression_level, &compressed_)) {
    stored = compressed_;
    codec = Compression::kZstd;
  }
  const absl::StatusOr<BlockHandle> handle =
      writer_->Append(stored, codec, BlockKind::kData, raw.size());
  if (!handle.ok()) return ended_ = handle.status();
  last_handle_ = *handle;
  last_flags_ = data_.flags() | (codec == Compression::kNone ? 0 : kIndexFlagCompressed);
  last_key_ = data_.last_key();
  data_.Reset();
  ++properties_.data_blocks;
  return absl::OkStatus();
}

void TableBuilder::IndexLastBlock(std::string_view separator) {
  index_.Add(separator, last_handle_, last_flags_);
  last_handle_ = {};
  const size_t filter_size = filter_ != nullptr ? filter_->EstimatedSize() : 0;
  if (index_.count() >= kBlocksPerPartition || index_.EstimatedSize() >= kPartitionSize ||
      filter_size >= kPartitionSize) {
    ClosePartition(separator);
  }
}

void TableBuilder::ClosePartition(std::string_view separator) {
  WaitingPartition& partition = waiting_.emplace_back();
  partition.separator = separator;
  partition.block_count = static_cast<uint32_t>(index_.count());
  partition.index = index_.Finish();
  if (filter_ != nullptr) partition.filter = filter_->Finish();
  waiting_bytes_ += partition.index.size() + partition.filter.size() + separator.size() +
                    2 * (kTrailerSize + kBlockAlignment);
  ++properties_.partitions;
}

std::string TableBuilder::SeparatorBefore(std::string_view next) const {
  const KeyOrder& order = options_.order;
  std::string separator = last_key_;
  // A user's comparator: its result is used only if it is valid.
  order.comparator()->FindShortestSeparator(&separator, next);
  if (order.Compare(separator, last_key_) < 0 || order.Compare(separator, next) >= 0) {
    return last_key_;
  }
  return separator;
}

absl::StatusOr<TableSummary> TableBuilder::Finish() {
  RETURN_IF_ERROR(ended_);
  if (entries() == 0 && range_deletes_.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("finish ", options_.path, ": the table is without entries and range deletes"));
  }
  if (!data_.empty()) RETURN_IF_ERROR(CloseBlock());
  properties_.largest_key = last_key_;
  if (last_handle_.size != 0) IndexLastBlock(last_key_);
  if (!index_.empty()) ClosePartition(last_key_);
  ended_ = WriteEnd();
  RETURN_IF_ERROR(ended_);
  ended_ = absl::FailedPreconditionError(
      absl::StrCat("build ", options_.path, ": the table is finished"));
  return TableSummary{properties_, writer_->offset(), writer_->digest()};
}

absl::Status TableBuilder::WriteEnd() {
  std::vector<Partition> partitions(waiting_.size());
  for (size_t i = 0; i < waiting_.size(); ++i) {
    partitions[i].block_count = waiting_[i].block_count;
    if (waiting_[i].filter.empty()) continue;
    ASSIGN_OR_RETURN(partitions[i].filter,
                     writer_->AppendRaw(waiting_[i].filter, BlockKind::kFilter));
  }
  Footer footer;
  footer.number = options_.number;
  TopIndexBuilder top;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    ASSIGN_OR_RETURN(partitions[i].index, writer_->AppendRaw(waiting_[i].index, BlockKind::kIndex));
    top.Add(waiting_[i].separator, partitions[i]);
  }
  if (!range_deletes_.empty()) {
    footer.must_understand |= Footer::kHasRangeDeletes;
    ASSIGN_OR_RETURN(footer.range_deletes,
                     writer_->AppendRaw(range_deletes_, BlockKind::kRangeDeletes));
  }
  if (!waiting_.empty()) {
    ASSIGN_OR_RETURN(footer.top_index, writer_->AppendRaw(top.Finish(), BlockKind::kTopIndex));
  }
  ASSIGN_OR_RETURN(footer.properties,
                   writer_->AppendRaw(properties_.Encode(), BlockKind::kProperties));
  return writer_->AppendFooter(footer);
}

}  // namespace cambium::sstable
