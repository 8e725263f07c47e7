#include "sstable/table/table_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/copy_or_pin.h"
#include "base/merging_iterator.h"
#include "base/range_tombstones.h"
#include "sstable/table/range_delete_block.h"
#include "util/epoch.h"
#include "util/file_status.h"
#include "util/status_macros.h"

namespace cambium::sstable {
namespace {

// MultiGet reads about this many bytes of blocks at a time, and keeps as many in memory.
constexpr size_t kMaxReadRound = size_t{256} << 10;

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
  if (handle.size == 0) return TopIndex::None(file.options().order);
  ASSIGN_OR_RETURN(const FrameLease frame, file.ReadBlock(handle, BlockKind::kTopIndex));
  absl::StatusOr<TopIndex> top = TopIndex::Parse(frame->bytes(), file.options().order);
  if (!top.ok()) return file.Annotate(top.status(), BlockKind::kTopIndex, handle.offset);
  // The memory per block is bounded by the file's size.
  const uint64_t most = file.footer_offset() / kMinBlockFootprint;
  if (top->block_count() <= most) return top;
  return file.DamageError(
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
    return file.DamageError(
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

// Returns null if there are none.
absl::StatusOr<std::unique_ptr<const TombstoneIndex>> ReadRangeDeletes(const TableFile& file,
                                                                       const BlockHandle& handle) {
  if (handle.size == 0) return nullptr;
  ASSIGN_OR_RETURN(const FrameLease frame, file.ReadBlock(handle, BlockKind::kRangeDeletes));
  absl::StatusOr<std::unique_ptr<const TombstoneIndex>> index =
      DecodeRangeDeletes(file.options().order, frame->bytes());
  if (!index.ok()) return file.Annotate(index.status(), BlockKind::kRangeDeletes, handle.offset);
  return index;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableReader>> TableReader::Open(
    const TableReaderOptions& options, std::unique_ptr<RandomAccessFile> file) {
  const absl::StatusOr<uint64_t> size = file->Size();
  if (!size.ok()) return ReadError(size.status());
  if (*size != options.file_size) {
    return absl::DataLossError(absl::StrCat("open ", options.path, ": found ", *size,
                                            " bytes, expected ", options.file_size));
  }
  TableFile table_file(options, std::move(file));
  ASSIGN_OR_RETURN(const Footer footer, ReadFooter(table_file));
  ASSIGN_OR_RETURN(TopIndex top, ReadTopIndex(table_file, footer.top_index));
  ASSIGN_OR_RETURN(TableProperties properties, ReadProperties(table_file, footer.properties, top));
  Parts parts{std::move(top), std::move(properties), footer.range_deletes, nullptr};
  ASSIGN_OR_RETURN(parts.range_deletes, ReadRangeDeletes(table_file, footer.range_deletes));
  return std::unique_ptr<TableReader>(new TableReader(std::move(table_file), std::move(parts)));
}

TableReader::TableReader(TableFile file, Parts parts)
    : blocks_(std::move(file), std::move(parts.top)),
      properties_(std::move(parts.properties)),
      range_deletes_at_(parts.range_deletes_at),
      range_deletes_(std::move(parts.range_deletes)) {
  if (range_deletes_ == nullptr) return;
  blocks_.file().options().cache->Reserve(range_deletes_->MemoryUsage());
}

TableReader::~TableReader() {
  if (range_deletes_ == nullptr) return;
  blocks_.file().options().cache->Unreserve(range_deletes_->MemoryUsage());
}

bool TableReader::HasUncovered(const LookupKey& key, KeyFold* fold) const {
  const SequenceNumber tombstone = range_deletes_->NewestOver(key.key, key.sequence);
  if (tombstone != 0) fold->Cover(tombstone);
  return properties_.entries > 0 && tombstone <= properties_.largest_sequence;
}

inline TableReader::Presence TableReader::LocateCached(const LookupKey& key, DataPlace* place,
                                                       Frame** index) const {
  place->partition = blocks_.top().Find(key.key);
  if (place->partition == blocks_.partition_count()) return Presence::kAbsent;
  if (HasFilter(place->partition)) {
    const Frame* const filter = blocks_.CachedFilter(place->partition);
    if (filter == nullptr) return Presence::kUnknown;
    if (!filter->filter().MayContain(key.hash)) {
      blocks_.Count(ReadCounter::kFilterNegative);
      return Presence::kAbsent;
    }
  }
  *index = blocks_.CachedIndex(place->partition);
  if (*index == nullptr) return Presence::kUnknown;
  place->index = (*index)->index().Find(key.key);
  // Locate() reports an index that ends early.
  return place->index < (*index)->index().count() ? Presence::kPossible : Presence::kUnknown;
}

inline bool TableReader::SearchBlock(const Sought& sought, Frame* data) const {
  const bool continues = data->block().Get(sought.key, blocks_.order(), sought.fold);
  if (sought.fold->state() == KeyFold::State::kValue) {
    CopyOrPin(sought.fold->value(), sought.value, [data] {
      data->Ref();
      return ValuePin{[](void* frame) { static_cast<Frame*>(frame)->Unref(); }, data};
    });
  }
  return continues;
}

inline bool TableReader::SearchCached(const Sought& sought, DataPlace place, Frame* index,
                                      TablePosition* reached) const {
  for (;;) {
    Frame* const data = blocks_.CachedData(*index, place.index);
    if (data == nullptr) break;
    data->Prefetch();
    if (!SearchBlock(sought, data)) return true;
    if (place.index + 1 == index->index().count()) {
      if (place.partition + 1 == blocks_.partition_count()) return true;
      Frame* const next = blocks_.CachedIndex(place.partition + 1);
      if (next == nullptr) break;  // Search() reads the block at `place` again: harmless
      index = next;
      place = {.partition = place.partition + 1, .index = 0};
    } else {
      ++place.index;
    }
  }
  *reached = {place, FrameLease::Share(index)};
  return false;
}

bool TableReader::GetCached(const LookupKey& key, KeyFold* fold, PinnedValue* value,
                            TablePosition* reached) const {
  if (range_deletes_ != nullptr) [[unlikely]] {
    if (!HasUncovered(key, fold)) return true;
  }
  DataPlace place;
  Frame* index = nullptr;
  switch (LocateCached(key, &place, &index)) {
    case Presence::kAbsent:
      return true;
    case Presence::kUnknown:
      return false;
    case Presence::kPossible:
      return SearchCached({key, fold, value}, place, index, reached);
  }
  return false;
}

absl::Status TableReader::Get(const LookupKey& key, CacheFill fill, KeyFold* fold,
                              PinnedValue* value) const {
  TablePosition reached;
  {
    const EpochGuard guard(blocks_.file().options().cache->epochs());
    if (GetCached(key, fold, value, &reached)) return absl::OkStatus();
  }
  return GetFrom(std::move(reached), key, fill, fold, value);
}

absl::Status TableReader::GetFrom(TablePosition from, const LookupKey& key, CacheFill fill,
                                  KeyFold* fold, PinnedValue* value) const {
  if (range_deletes_ != nullptr && !HasUncovered(key, fold)) return absl::OkStatus();
  if (!from.index) RETURN_IF_ERROR(Locate(key, &from));
  if (!from.index) return absl::OkStatus();
  FrameLease data;
  RETURN_IF_ERROR(blocks_.PinData(from.place, from.index.get(), fill, &data));
  return Search({key, fold, value}, std::move(from), std::move(data), fill);
}

absl::Status TableReader::Locate(const LookupKey& key, TablePosition* at) const {
  const size_t partition = blocks_.top().Find(key.key);
  if (partition == blocks_.partition_count()) return absl::OkStatus();
  if (HasFilter(partition)) {
    FrameLease filter;
    RETURN_IF_ERROR(blocks_.PinFilter(partition, &filter));
    if (!filter->filter().MayContain(key.hash)) {
      blocks_.Count(ReadCounter::kFilterNegative);
      return absl::OkStatus();
    }
  }
  FrameLease index;
  RETURN_IF_ERROR(blocks_.PinIndex(partition, &index));
  const size_t block = index->index().Find(key.key);
  if (block == index->index().count()) return blocks_.EndsEarly(partition);
  *at = {{.partition = partition, .index = block}, std::move(index)};
  return absl::OkStatus();
}

absl::Status TableReader::Search(const Sought& sought, TablePosition at, FrameLease data,
                                 CacheFill fill) const {
  while (SearchBlock(sought, data.get())) {
    if (++at.place.index == at.index->index().count()) {
      at.place = {.partition = at.place.partition + 1, .index = 0};
      if (at.place.partition == blocks_.partition_count()) return absl::OkStatus();
      RETURN_IF_ERROR(blocks_.PinIndex(at.place.partition, &at.index));
    }
    RETURN_IF_ERROR(blocks_.PinData(at.place, at.index.get(), fill, &data));
  }
  return absl::OkStatus();
}

struct TableReader::Lookup {
  LookupRequest* request = nullptr;
  DataPlace place;
  Frame* index = nullptr;  // of the place's partition, inside the guard of LookUpCached()
  TablePosition reached;
};

void TableReader::MultiGet(std::span<LookupRequest> requests, CacheFill fill) const {
  std::vector<Lookup> lookups = LookUpCached(requests);
  std::erase_if(lookups, [this](Lookup& lookup) {
    if (lookup.reached.index) return false;
    lookup.request->status = Locate(*lookup.request->key, &lookup.reached);
    return !lookup.reached.index;
  });
  // Sorting by place also sorts by offset.
  std::sort(lookups.begin(), lookups.end(),
            [](const Lookup& a, const Lookup& b) { return a.reached.place < b.reached.place; });
  std::span<Lookup> left = lookups;
  while (!left.empty()) {
    size_t count = 0;
    for (size_t bytes = 0; count < left.size() && bytes < kMaxReadRound; ++count) {
      const TablePosition& at = left[count].reached;
      bytes += at.index->index().handle(at.place.index).size;
    }
    ReadAndSearch(left.first(count), fill);
    left = left.subspan(count);
  }
}

std::vector<TableReader::Lookup> TableReader::LookUpCached(
    std::span<LookupRequest> requests) const {
  std::vector<Lookup> lookups;
  lookups.reserve(requests.size());
  const EpochGuard guard(blocks_.file().options().cache->epochs());
  for (LookupRequest& request : requests) {
    request.status = absl::OkStatus();
    if (request.fold->decided()) continue;
    if (range_deletes_ != nullptr && !HasUncovered(*request.key, request.fold)) continue;
    const size_t partition = blocks_.top().Find(request.key->key);
    if (partition == blocks_.partition_count()) continue;
    lookups.emplace_back().request = &request;
    Prefetch(*request.key, partition);
  }
  std::erase_if(lookups, [this](Lookup& lookup) {
    const Presence presence = LocateCached(*lookup.request->key, &lookup.place, &lookup.index);
    if (presence == Presence::kPossible) {
      TableBlocks::PrefetchData(*lookup.index, lookup.place.index);
    }
    if (presence == Presence::kUnknown) lookup.index = nullptr;
    return presence == Presence::kAbsent;
  });
  std::erase_if(lookups, [this](Lookup& lookup) {
    const LookupRequest& request = *lookup.request;
    return lookup.index != nullptr && SearchCached({*request.key, request.fold, request.value},
                                                   lookup.place, lookup.index, &lookup.reached);
  });
  return lookups;
}

void TableReader::ReadAndSearch(std::span<Lookup> lookups, CacheFill fill) const {
  std::vector<BlockRead> reads;
  for (const Lookup& lookup : lookups) {
    const TablePosition& at = lookup.reached;
    const BlockHandle handle = at.index->index().handle(at.place.index);
    if (reads.empty() || reads.back().handle.offset != handle.offset) {
      reads.emplace_back().handle = handle;
    }
  }
  blocks_.file().ReadBlocks(reads);
  auto read = reads.begin();
  bool published = false;  // *read
  for (Lookup& lookup : lookups) {
    TablePosition& at = lookup.reached;
    LookupRequest& request = *lookup.request;
    if (read->handle.offset != at.index->index().handle(at.place.index).offset) {
      ++read;
      published = false;
    }
    if (!read->status.ok()) {
      request.status = blocks_.WithKeyRange(read->status, at.place, at.index->index());
      continue;
    }
    if (!published && fill == CacheFill::kYes) {
      blocks_.PublishData(at.index.get(), at.place.index, &read->frame);
    }
    published = true;
    request.status = Search({*request.key, request.fold, request.value}, std::move(at),
                            FrameLease::Share(read->frame.get()), fill);
  }
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
  if (top.partition_count() == 0) return 0;
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
