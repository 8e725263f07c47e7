#include "sstable/table/sequential_blocks.h"

#include <algorithm>

#include "util/status_macros.h"

namespace cambium::sstable {

absl::StatusOr<Block> SequentialBlocks::Read(const BlockHandle& handle) {
  RETURN_IF_ERROR(file_->CheckHandle(handle, BlockKind::kData));
  const size_t size = handle.size + kTrailerSize;
  RETURN_IF_ERROR(Fill(handle.offset, size));
  const char* const at = read_.data() + (handle.offset - read_offset_);
  ASSIGN_OR_RETURN(const BlockTrailer trailer, file_->Check({at, size}, handle, BlockKind::kData));
  std::string_view bytes(at, handle.size);
  if (trailer.codec != Compression::kNone) {
    char* const raw = raw_.Reserve(trailer.raw_size);
    RETURN_IF_ERROR(file_->Uncompress(bytes, trailer, handle, raw));
    bytes = {raw, trailer.raw_size};
  }
  absl::StatusOr<Block> block = Block::Parse(bytes);
  if (!block.ok()) return file_->Annotate(block.status(), BlockKind::kData, handle.offset);
  return block;
}

absl::Status SequentialBlocks::Fill(uint64_t offset, size_t size) {
  if (offset >= read_offset_ && offset + size <= read_offset_ + read_size_) {
    return absl::OkStatus();
  }
  const uint64_t left = file_->options().size - offset;
  const size_t wanted =
      static_cast<size_t>(std::min<uint64_t>(left, std::max(size, readahead_bytes_)));
  read_size_ = 0;
  RETURN_IF_ERROR(file_->ReadBytes(offset, wanted, read_.Reserve(wanted)));
  read_offset_ = offset;
  read_size_ = wanted;
  return absl::OkStatus();
}

}  // namespace cambium::sstable
