#include "sstable/table/top_index.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/byte_reader.h"
#include "util/coding.h"
#include "util/status_macros.h"

namespace cambium::sstable {
namespace {

constexpr size_t kRecordSize = 16;

}  // namespace

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
  if (!reader.ok() || count == 0 || reader.remaining() / kRecordSize < count) {
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
