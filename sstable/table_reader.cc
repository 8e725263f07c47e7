#include "sstable/table_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "util/epoch.h"
#include "util/status_macros.h"

namespace cambium::sstable {
namespace {

CacheFill FillOf(const TableReadOptions& options) {
  return options.fill_cache ? CacheFill::kYes : CacheFill::kNo;
}

void Deliver(std::string_view found, Frame* frame, PinnedValue* value) {
  if (found.size() <= kMaxCopiedValueSize) {
    value->Copy(found);
    return;
  }
  frame->Ref();
  value->Pin(
      found, [](void* pinned) { static_cast<Frame*>(pinned)->Unref(); }, frame);
}

absl::StatusOr<Footer> ReadFooter(const TableFile& file) {
  const TableReaderOptions& options = file.options();
  if (options.file_size < kFooterSize) {
    return absl::DataLossError(absl::StrCat("open ", options.path, ": found ", options.file_size,
                                            " bytes, expected a footer of ", kFooterSize));
  }
  char bytes[kFooterSize];
  RETURN_IF_ERROR(file.ReadBytes(file.footer_offset(), kFooterSize, bytes));
  absl::StatusOr<Footer> footer = Footer::Decode({bytes, kFooterSize}, file.footer_offset());
  if (footer.ok() && footer->number != options.number) {
    footer = absl::DataLossError(absl::StrCat("found file number ", ToInteger(footer->number),
                                              ", expected ", ToInteger(options.number)));
  }
  if (!footer.ok()) return file.Annotate(footer.status(), "footer", file.footer_offset());
  return footer;
}

absl::StatusOr<TopIndex> ReadTopIndex(const TableFile& file, const BlockHandle& handle) {
  ASSIGN_OR_RETURN(const FrameLease frame, file.ReadBlock(handle, BlockKind::kTopIndex));
  absl::StatusOr<TopIndex> top = TopIndex::Parse(frame->bytes(), file.options().order);
  if (!top.ok()) return file.Annotate(top.status(), BlockKind::kTopIndex, handle.offset);
  // What stands in for each block in memory is bounded by the file's size.
  const uint64_t most = file.footer_offset() / kMinBlockFootprint;
  if (top->block_count() <= most) return top;
  return file.Damaged(
      absl::StrCat("found ", top->block_count(), " data blocks, expected at most ", most),
      BlockKind::kTopIndex, handle.offset);
}

absl::StatusOr<TableProperties> ReadProperties(const TableFile& file, const BlockHandle& handle,
                                               const TopIndex& top) {
  ASSIGN_OR_RETURN(const FrameLease frame, file.ReadBlock(handle, BlockKind::kProperties));
  absl::StatusOr<TableProperties> properties = TableProperties::Decode(frame->bytes());
  if (!properties.ok()) {
    return file.Annotate(properties.status(), BlockKind::kProperties, handle.offset);
  }
  if (properties->data_blocks != top.block_count() ||
      properties->partitions != top.partition_count()) {
    return file.Damaged(
        absl::StrCat("found ", properties->data_blocks, " data blocks in ", properties->partitions,
                     " partitions, expected the top index's ", top.block_count(), " in ",
                     top.partition_count()),
        BlockKind::kProperties, handle.offset);
  }
  const char* const name = file.options().order.comparator()->Name();
  if (properties->comparator_name != name) {
    return absl::InvalidArgumentError(
        absl::StrCat("open ", file.options().path, ": found comparator ",
                     properties->comparator_name, ", expected ", name));
  }
  return properties;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableReader>> TableReader::Open(
    const TableReaderOptions& options, std::unique_ptr<RandomAccessFile> file) {
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size != options.file_size) {
    return absl::DataLossError(absl::StrCat("open ", options.path, ": found ", size,
                                            " bytes, expected ", options.file_size));
  }
  TableFile table_file(options, std::move(file));
  ASSIGN_OR_RETURN(const Footer footer, ReadFooter(table_file));
  ASSIGN_OR_RETURN(TopIndex top, ReadTopIndex(table_file, footer.top_index));
  ASSIGN_OR_RETURN(TableProperties properties, ReadProperties(table_file, footer.properties, top));
  return std::unique_ptr<TableReader>(
      new TableReader(std::move(table_file), std::move(top), std::move(properties)));
}

TableReader::TableReader(TableFile file, TopIndex top, TableProperties properties)
    : blocks_(std::move(file), std::move(top)), properties_(std::move(properties)) {}

inline absl::Status TableReader::Locate(const LookupKey& key, DataPlace* place,
                                        FrameLease* index) const {
  if (HasFilter(place->partition)) {
    FrameLease filter;
    RETURN_IF_ERROR(blocks_.HoldFilter(place->partition, &filter));
    if (!filter->filter().MayContain(key.hash)) {
      blocks_.Count(ReadCounter::kFilterNegative);
      return absl::OkStatus();
    }
  }
  RETURN_IF_ERROR(blocks_.HoldIndex(place->partition, index));
  place->index = (*index)->index().Find(key.key);
  if (place->index < (*index)->index().count()) return absl::OkStatus();
  return blocks_.EndsEarly(place->partition);
}

absl::Status TableReader::Get(const LookupKey& key, const TableReadOptions& options, KeyFold* fold,
                              PinnedValue* value) const {
  DataPlace place = {.partition = blocks_.top().Find(key.key)};
  if (place.partition == blocks_.partition_count()) return absl::OkStatus();
  FrameLease index, data;
  RETURN_IF_ERROR(Locate(key, &place, &index));
  if (!index) return absl::OkStatus();
  RETURN_IF_ERROR(blocks_.HoldData(place, index->index(), FillOf(options), &data));
  return Search({key, fold, value, FillOf(options)}, place, std::move(index), std::move(data));
}

absl::Status TableReader::Search(const Sought& sought, DataPlace place, FrameLease index,
                                 FrameLease data) const {
  for (;;) {
    BlockHit hit;
    const KeyFold::Answer answer =
        data->block().Get(sought.key, blocks_.order(), sought.fold, &hit);
    if (answer == KeyFold::Answer::kValue) Deliver(hit.value, data.get(), sought.value);
    if (answer != KeyFold::Answer::kMore || !hit.continues) return absl::OkStatus();
    if (++place.index == index->index().count()) {
      place = {.partition = place.partition + 1, .index = 0};
      if (place.partition == blocks_.partition_count()) return absl::OkStatus();
      RETURN_IF_ERROR(blocks_.HoldIndex(place.partition, &index));
    }
    RETURN_IF_ERROR(blocks_.HoldData(place, index->index(), sought.fill, &data));
  }
}

struct TableReader::Lookup {
  LookupRequest* request = nullptr;
  DataPlace place;
  FrameLease index;
  FrameLease data;  // null at the end of ReadMissing() only where the lookup has ended
};

void TableReader::MultiGet(std::span<LookupRequest> requests,
                           const TableReadOptions& options) const {
  const CacheFill fill = FillOf(options);
  std::vector<Lookup> lookups;
  lookups.reserve(requests.size());
  for (LookupRequest& request : requests) {
    request.status = absl::OkStatus();
    if (request.fold->decided()) continue;
    const size_t partition = blocks_.top().Find(request.key->key);
    if (partition == blocks_.partition_count()) continue;
    Lookup& lookup = lookups.emplace_back();
    lookup.request = &request;
    lookup.place.partition = partition;
    Prefetch(*request.key, partition);
  }
  LocateAll(lookups);
  // The frames that were read live in `reads` until every lookup is done with them.
  const std::vector<BlockRead> reads = ReadMissing(lookups, fill);
  for (Lookup& lookup : lookups) {
    if (!lookup.data) continue;
    LookupRequest& request = *lookup.request;
    request.status = Search({*request.key, request.fold, request.value, fill}, lookup.place,
                            std::move(lookup.index), std::move(lookup.data));
  }
}

void TableReader::LocateAll(std::span<Lookup> lookups) const {
  for (Lookup& lookup : lookups) {
    LookupRequest& request = *lookup.request;
    request.status = Locate(*request.key, &lookup.place, &lookup.index);
    if (!request.status.ok()) lookup.index.Reset();
    if (!lookup.index) continue;
    if (Frame* const frame = blocks_.CachedData(lookup.place)) {
      frame->Prefetch();
      lookup.data = FrameLease::Borrow(frame);
    }
  }
}

std::vector<BlockRead> TableReader::ReadMissing(std::span<Lookup> lookups, CacheFill fill) const {
  std::vector<Lookup*> missing;
  for (Lookup& lookup : lookups) {
    if (lookup.index && !lookup.data) missing.push_back(&lookup);
  }
  std::vector<BlockRead> reads;
  if (missing.empty()) return reads;
  // By place is by offset.
  std::sort(missing.begin(), missing.end(),
            [](const Lookup* a, const Lookup* b) { return a->place < b->place; });
  for (size_t i = 0; i < missing.size(); ++i) {
    if (i > 0 && missing[i]->place == missing[i - 1]->place) continue;
    reads.emplace_back().handle = missing[i]->index->index().handle(missing[i]->place.index);
  }
  blocks_.file().ReadBlocks(reads);
  size_t read = 0;
  for (size_t i = 0; i < missing.size(); ++i) {
    Lookup& lookup = *missing[i];
    const bool shares = i > 0 && lookup.place == missing[i - 1]->place;
    if (i > 0 && !shares) ++read;
    BlockRead& block = reads[read];
    if (!block.status.ok()) {
      lookup.request->status =
          blocks_.WithKeyRange(block.status, lookup.place, lookup.index->index());
      continue;
    }
    if (!shares && fill == CacheFill::kYes) blocks_.Publish(lookup.place, &block.frame);
    lookup.data = FrameLease::Borrow(block.frame.get());
  }
  return reads;
}

void TableReader::Prefetch(const LookupKey& key, size_t partition) const {
  if (HasFilter(partition)) {
    const Frame* const frame = blocks_.CachedFilter(partition);
    if (frame != nullptr) frame->filter().Prefetch(key.hash);
  }
  if (const Frame* const frame = blocks_.CachedIndex(partition)) __builtin_prefetch(frame);
}

uint64_t TableReader::ApproximateOffsetOf(std::string_view key) const {
  const TopIndex& top = blocks_.top();
  const Partition& first = top.partition(0);
  const uint64_t data_end = first.filter.size != 0
                                ? std::min(first.filter.offset, first.index.offset)
                                : first.index.offset;
  const size_t partition = top.Find(key);
  if (partition == top.partition_count()) return data_end;
  FrameLease index;
  if (blocks_.PinIndex(partition, &index).ok()) {
    const size_t block = index->index().Find(key);
    if (block < index->index().count()) return index->index().handle(block).offset;
  }
  const double share = double(top.partition(partition).first_block) / double(top.block_count());
  return static_cast<uint64_t>(share * double(data_end));
}

}  // namespace cambium::sstable
