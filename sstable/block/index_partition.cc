#include "sstable/block/index_partition.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "util/absl_view.h"
#include "util/byte_reader.h"
#include "util/coding.h"
#include "util/status_macros.h"

namespace cambium::sstable {
namespace {

// The record of a partition in the top index.
constexpr size_t kPartitionRecordSize = 16;

static_assert(kIndexHeaderSize >= kMinColumnOffset,
              "loads that begin before their column stay inside");

absl::Status DamageError(std::string_view what, uint64_t found) {
  return absl::DataLossError(absl::StrCat("index: ", ToAbsl(what), ": found ", found));
}

}  // namespace

// ---- IndexBuilder

std::string_view IndexBuilder::SeparatorAt(size_t index) const {
  const size_t begin = index == 0 ? 0 : ends_[index - 1];
  return std::string_view(separators_).substr(begin, ends_[index] - begin);
}

void IndexBuilder::Add(std::string_view separator, BlockHandle handle, uint8_t flags) {
  assert(empty() || handle.offset >= handles_.back().offset + handles_.back().size);
  prefix_size_ = empty() ? separator.size() : CommonPrefix(SeparatorAt(0), separator, prefix_size_);
  separators_.append(separator);
  ends_.push_back(static_cast<uint32_t>(separators_.size()));
  handles_.push_back(handle);
  flags_.push_back(static_cast<char>(flags));
}

size_t IndexBuilder::EstimatedSize() const {
  constexpr size_t kEntryOverhead = 2 + 4 + 2 + 1;  // bound, offset, size, flags
  const size_t repeated = empty() ? 0 : (count() - 1) * prefix_size_;
  return kIndexHeaderSize + separators_.size() - repeated + count() * kEntryOverhead;
}

std::string IndexBuilder::Finish() {
  const size_t n = count();
  const size_t rests_size = separators_.size() - n * prefix_size_;
  const uint64_t first_offset = handles_[0].offset;
  uint32_t largest_size = 0;
  for (const BlockHandle& handle : handles_) largest_size = std::max(largest_size, handle.size);
  const unsigned bounds_width = std::max(1u, ColumnWidthFor(rests_size));
  const unsigned offset_width = ColumnWidthFor(handles_.back().offset - first_offset);
  const unsigned size_width = ColumnWidthFor(largest_size);

  std::string out(kIndexHeaderSize, '\0');
  StoreFixed32(out.data(), static_cast<uint32_t>(n));
  StoreFixed32(out.data() + 4, static_cast<uint32_t>(prefix_size_));
  StoreFixed32(out.data() + 8, static_cast<uint32_t>(rests_size));
  out[12] = static_cast<char>(bounds_width);
  out[13] = static_cast<char>(offset_width);
  out[14] = static_cast<char>(size_width);
  StoreFixed64(out.data() + 16, first_offset);
  out.append(SeparatorAt(0).substr(0, prefix_size_));
  AppendColumnValue(&out, 0, bounds_width);
  for (size_t i = 0; i < n; ++i) {
    AppendColumnValue(&out, ends_[i] - (i + 1) * prefix_size_, bounds_width);
  }
  for (size_t i = 0; i < n; ++i) out.append(SeparatorAt(i).substr(prefix_size_));
  for (const BlockHandle& handle : handles_) {
    AppendColumnValue(&out, handle.offset - first_offset, offset_width);
  }
  for (const BlockHandle& handle : handles_) AppendColumnValue(&out, handle.size, size_width);
  out.append(flags_);

  separators_.clear();
  ends_.clear();
  handles_.clear();
  flags_.clear();
  return out;
}

// ---- IndexView

absl::StatusOr<IndexView> IndexView::Parse(std::string_view bytes, const KeyOrder& order) {
  if (bytes.size() > UINT32_MAX) return DamageError("larger than 4 GiB", bytes.size());
  IndexView view(bytes.data(), order);
  RETURN_IF_ERROR(view.ParseColumns(bytes));
  RETURN_IF_ERROR(view.CheckHandles());
  if (order.bytewise()) RETURN_IF_ERROR(view.BuildTree());
  return view;
}

// Finds the columns, each inside the bytes, and checks that the rests' bounds ascend.
absl::Status IndexView::ParseColumns(std::string_view bytes) {
  ByteReader reader(bytes);
  layout_.count = reader.ReadFixed32();
  layout_.prefix_size = reader.ReadFixed32();
  const uint32_t rests_size = reader.ReadFixed32();
  layout_.bounds_width = reader.ReadFixed8();
  layout_.offset_width = reader.ReadFixed8();
  layout_.size_width = reader.ReadFixed8();
  const uint8_t reserved = reader.ReadFixed8();
  layout_.first_offset = reader.ReadFixed64();
  if (!reader.ok()) return DamageError("shorter than its header", bytes.size());
  if (layout_.count == 0 || layout_.count > bytes.size()) {
    return DamageError("impossible count of blocks", layout_.count);
  }
  if (!IsColumnWidth(layout_.bounds_width) || !IsColumnWidth(layout_.offset_width) ||
      !IsColumnWidth(layout_.size_width) || layout_.size_width > 4) {
    return DamageError("a column's width is not 0, 1, 2, 4 or 8", layout_.bounds_width);
  }
  if (reserved != 0) return DamageError("reserved byte is not zero", reserved);

  const uint64_t n = layout_.count;
  reader.ReadBytes(layout_.prefix_size);
  layout_.bounds = static_cast<uint32_t>(reader.offset());
  const std::string_view bounds = reader.ReadBytes((n + 1) * layout_.bounds_width);
  layout_.rests = static_cast<uint32_t>(reader.offset());
  reader.ReadBytes(rests_size);
  layout_.offsets = static_cast<uint32_t>(reader.offset());
  reader.ReadBytes(n * layout_.offset_width);
  layout_.sizes = static_cast<uint32_t>(reader.offset());
  reader.ReadBytes(n * layout_.size_width);
  layout_.flags = static_cast<uint32_t>(reader.offset());
  reader.ReadBytes(n);
  if (!reader.Finished()) return DamageError("its columns do not fill it, in bytes", bytes.size());
  if (!AreBounds(bounds.data(), n, layout_.bounds_width, rests_size)) {
    return DamageError("bounds of separators are not ascending to", rests_size);
  }
  return absl::OkStatus();
}

// Checks that blocks follow each other.
absl::Status IndexView::CheckHandles() const {
  uint64_t end = layout_.first_offset;
  for (size_t i = 0; i < count(); ++i) {
    const uint64_t delta = LoadColumn(data_ + layout_.offsets, i, layout_.offset_width);
    const uint64_t room = std::numeric_limits<uint64_t>::max() - layout_.first_offset;
    const BlockHandle block = handle(i);
    if (delta > room || block.size > room - delta) {
      return DamageError("a block ends beyond 2^64, at entry", i);
    }
    if (block.size == 0) return DamageError("a block of no bytes, at entry", i);
    if (block.offset < end) return DamageError("blocks overlap, at entry", i);
    end = block.offset + block.size;
  }
  return absl::OkStatus();
}

// The leaves are the abbreviated keys in order, padded to whole nodes; an inner node contains the
// last abbreviated key of each node below it, so that the first one >= h leads to the first
// abbreviated key >= h. The last node of a level is represented by the padding, the largest
// integer: every search ends in an existing leaf.
absl::Status IndexView::BuildTree() {
  std::array<size_t, kMaxLevels> sizes{};  // in nodes, leaves first
  size_t total = 0;
  size_t level_count = 0;
  for (size_t entries = count();; entries = sizes[level_count - 1]) {
    sizes[level_count] = (entries + kFanout - 1) / kFanout;
    total += sizes[level_count++];
    if (sizes[level_count - 1] == 1) break;
  }
  Node padding;
  padding.abbreviated_keys.fill(std::numeric_limits<uint64_t>::max());
  tree_.assign(total, padding);
  level_count_ = static_cast<uint32_t>(level_count);
  size_t begin = 0;
  for (size_t level = 0; level < level_count; ++level) {
    level_begin_[level] = static_cast<uint32_t>(begin);
    begin += sizes[level_count - 1 - level];
  }

  uint64_t previous = 0;
  Node* const leaves = &tree_[level_begin_[level_count - 1]];
  for (size_t i = 0; i < count(); ++i) {
    const uint64_t abbreviated = AbbreviateKey(RestAt(i));
    if (abbreviated < previous) return DamageError("separators out of order, at entry", i);
    leaves[i / kFanout].abbreviated_keys[i % kFanout] = previous = abbreviated;
  }
  for (size_t level = level_count - 1; level > 0; --level) {
    const Node* const below = &tree_[level_begin_[level]];
    Node* const nodes = &tree_[level_begin_[level - 1]];
    const size_t below_size = sizes[level_count - 1 - level];
    for (size_t i = 0; i + 1 < below_size; ++i) {
      nodes[i / kFanout].abbreviated_keys[i % kFanout] = below[i].abbreviated_keys.back();
    }
  }
  return absl::OkStatus();
}

// Returns the first entry whose abbreviated key is >= `abbreviated`.
size_t IndexView::LowerBoundAbbreviated(uint64_t abbreviated) const {
  size_t index = 0;  // of the node in its level; at the end, of the abbreviated key
  for (size_t level = 0; level < level_count_; ++level) {
    const Node& node = tree_[level_begin_[level] + index];
    size_t rank = 0;
    for (const uint64_t other : node.abbreviated_keys) rank += other < abbreviated ? 1 : 0;
    index = index * kFanout + rank;
  }
  // Above every abbreviated key the search ends at the end of the last leaf, including padding.
  return std::min(index, count());
}

size_t IndexView::Find(std::string_view key) const {
  if (!order_.bytewise()) {
    return PartitionPoint(0, count(), [&](size_t i) { return order_.Less(separator(i), key); });
  }
  const int order = key.substr(0, layout_.prefix_size).compare(prefix());
  if (order < 0) return 0;
  if (order > 0) return count();
  const std::string_view rest = key.substr(layout_.prefix_size);
  const uint64_t abbreviated = AbbreviateKey(rest);
  const auto below = [&](size_t i) { return RestAt(i) < rest; };
  const size_t first = LowerBoundAbbreviated(abbreviated);
  // Usually one separator has this abbreviated key, or none.
  if (first == count() || AbbreviateAt(first) != abbreviated || !below(first)) return first;
  const bool last_abbreviated = abbreviated == std::numeric_limits<uint64_t>::max();
  return PartitionPoint(first + 1,
                        last_abbreviated ? count() : LowerBoundAbbreviated(abbreviated + 1), below);
}

BlockHandle IndexView::handle(size_t index) const {
  return {layout_.first_offset + LoadColumn(data_ + layout_.offsets, index, layout_.offset_width),
          static_cast<uint32_t>(LoadColumn(data_ + layout_.sizes, index, layout_.size_width))};
}

uint8_t IndexView::flags(size_t index) const {
  return static_cast<uint8_t>(data_[layout_.flags + index]);
}

std::string IndexView::separator(size_t index) const {
  std::string key(prefix());
  key.append(RestAt(index));
  return key;
}

size_t IndexView::MemoryUsage() const { return sizeof(*this) + tree_.capacity() * sizeof(Node); }

std::string_view IndexView::RestAt(size_t index) const {
  const uint64_t begin = LoadColumn(data_ + layout_.bounds, index, layout_.bounds_width);
  const uint64_t end = LoadColumn(data_ + layout_.bounds, index + 1, layout_.bounds_width);
  return {data_ + layout_.rests + begin, end - begin};
}

// ---- TopIndex

void TopIndexBuilder::Add(std::string_view separator, const Partition& partition) {
  index_.Add(separator, partition.index, 0);
  AppendFixed64(&records_, partition.filter.offset);
  AppendFixed32(&records_, partition.filter.size);
  AppendFixed32(&records_, block_count_);
  block_count_ += partition.block_count;
  ++partition_count_;
}

std::string TopIndexBuilder::Finish() {
  std::string out;
  AppendFixed32(&out, partition_count_);
  AppendFixed32(&out, block_count_);
  out += records_;
  out += index_.Finish();
  return out;
}

absl::StatusOr<TopIndex> TopIndex::Parse(std::string_view bytes, const KeyOrder& order) {
  ByteReader reader(bytes);
  const uint32_t count = reader.ReadFixed32();
  const uint32_t block_count = reader.ReadFixed32();
  if (!reader.ok() || count == 0 || reader.remaining() / kPartitionRecordSize < count) {
    return absl::DataLossError(
        absl::StrCat("found ", count, " partitions in ", bytes.size(), " bytes of top index"));
  }
  std::vector<Partition> partitions(count);
  for (size_t i = 0; i < count; ++i) {
    partitions[i].filter.offset = reader.ReadFixed64();
    partitions[i].filter.size = reader.ReadFixed32();
    partitions[i].first_block = reader.ReadFixed32();
  }

  const std::string_view rest = reader.ReadBytes(reader.remaining());
  auto copy = std::make_unique_for_overwrite<char[]>(rest.size());
  std::memcpy(copy.get(), rest.data(), rest.size());
  ASSIGN_OR_RETURN(IndexView index, IndexView::Parse({copy.get(), rest.size()}, order));
  if (index.count() != count) {
    return absl::DataLossError(
        absl::StrCat("found ", index.count(), " separators for ", count, " partitions"));
  }
  for (size_t i = 0; i < count; ++i) {
    Partition& partition = partitions[i];
    const uint32_t end = i + 1 < count ? partitions[i + 1].first_block : block_count;
    if (partition.first_block >= end || (i == 0 && partition.first_block != 0)) {
      return absl::DataLossError(absl::StrCat("found partition ", i, " of data blocks ",
                                              partition.first_block, " to ", end));
    }
    partition.index = index.handle(i);
    partition.block_count = end - partition.first_block;
  }
  TopIndex top(std::move(copy), rest.size(), std::move(index));
  top.partitions_ = std::move(partitions);
  top.block_count_ = block_count;
  return top;
}

size_t TopIndex::MemoryUsage() const {
  return size_ + index_.MemoryUsage() + partitions_.capacity() * sizeof(Partition);
}

}  // namespace cambium::sstable
