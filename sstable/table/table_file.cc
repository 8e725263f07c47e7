#include "sstable/table/table_file.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "util/absl_view.h"
#include "util/compression.h"
#include "util/file_status.h"
#include "util/status_macros.h"
#include "util/thread_index.h"

namespace cambium::sstable {
namespace {

ReadRequest Request(uint64_t offset, size_t size, char* buffer) {
  ReadRequest request;
  request.offset = offset;
  request.buffer = buffer;
  request.size = size;
  return request;
}

}  // namespace

void TableFile::ReadBlocks(std::span<BlockRead> reads) const {
  std::vector<ReadRequest> requests;
  std::vector<BlockRead*> asked;
  requests.reserve(reads.size());
  asked.reserve(reads.size());
  for (BlockRead& read : reads) {
    read.status = CheckHandle(read.handle, read.kind);
    if (!read.status.ok()) continue;
    const size_t size = read.handle.size + kTrailerSize;
    absl::StatusOr<FrameLease> frame = NewFrame(read.kind, size);
    read.status = frame.status();
    if (!read.status.ok()) continue;
    read.frame = std::move(*frame);
    requests.push_back(Request(read.handle.offset, size, read.frame->buffer()));
    asked.push_back(&read);
  }
  ReadFile(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    BlockRead& read = *asked[i];
    FrameLease frame = std::move(read.frame);
    read.status = Outcome(requests[i], read.kind);
    if (!read.status.ok()) continue;
    absl::StatusOr<FrameLease> finished = Finish(std::move(frame), read.handle);
    read.status = finished.status();
    if (read.status.ok()) read.frame = std::move(*finished);
  }
}

void TableFile::ReadFile(std::span<ReadRequest> requests) const {
  AssertNoEpochGuard();
  file_->Read(requests);
}

absl::StatusOr<FrameLease> TableFile::ReadBlock(const BlockHandle& handle, BlockKind kind) const {
  RETURN_IF_ERROR(CheckHandle(handle, kind));
  ASSIGN_OR_RETURN(FrameLease frame, NewFrame(kind, handle.size + kTrailerSize));
  ReadRequest request = Request(handle.offset, handle.size + kTrailerSize, frame->buffer());
  ReadFile({&request, 1});
  RETURN_IF_ERROR(Outcome(request, kind));
  return Finish(std::move(frame), handle);
}

absl::Status TableFile::ReadBytes(uint64_t offset, size_t size, char* buffer) const {
  ReadRequest request = Request(offset, size, buffer);
  ReadFile({&request, 1});
  RETURN_IF_ERROR(ReadError(request.status));
  if (request.bytes_read == size) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("read ", options_.path, " at offset ", offset, ": found ",
                                          request.bytes_read, " bytes, expected ", size));
}

absl::Status TableFile::CheckHandle(const BlockHandle& handle, BlockKind kind) const {
  const uint64_t end = footer_offset();
  const uint64_t footprint = uint64_t{handle.size} + kTrailerSize;
  if (handle.size <= kMaxRawBlockSize && handle.offset % kBlockAlignment == 0 && footprint <= end &&
      handle.offset <= end - footprint) {
    return absl::OkStatus();
  }
  return DamageError(
      absl::StrCat("found a size of ", handle.size,
                   " stored bytes, expected an aligned block before the footer at ", end),
      kind, handle.offset);
}

absl::StatusOr<BlockTrailer> TableFile::Check(std::string_view block_and_trailer,
                                              const BlockHandle& handle, BlockKind kind) const {
  absl::StatusOr<BlockTrailer> trailer =
      CheckBlock(block_and_trailer, kind, options_.number, handle.offset);
  if (!trailer.ok()) return Annotate(trailer.status(), kind, handle.offset);
  return trailer;
}

absl::Status TableFile::Uncompress(std::string_view stored, const BlockTrailer& trailer,
                                   const BlockHandle& handle, char* raw) const {
  const absl::Status status = UncompressZstd(stored, raw, trailer.raw_size);
  return status.ok() ? status : Annotate(status, trailer.kind, handle.offset);
}

absl::Status TableFile::Annotate(const absl::Status& status, const char* what,
                                 uint64_t offset) const {
  return absl::Status(status.code(), absl::StrCat("read ", what, " of ", options_.path,
                                                  " at offset ", offset, ": ", status.message()));
}

absl::Status TableFile::Outcome(const ReadRequest& request, BlockKind kind) const {
  RETURN_IF_ERROR(ReadError(request.status));
  if (request.bytes_read == request.size) return absl::OkStatus();
  return DamageError(absl::StrCat("found ", request.bytes_read, " bytes, expected ", request.size),
                     kind, request.offset);
}

absl::StatusOr<FrameLease> TableFile::NewFrame(BlockKind kind, size_t size) const {
  Frame* const frame = Frame::New(options_.cache, kind, size);
  if (frame != nullptr) return FrameLease::Own(frame);
  return absl::ResourceExhaustedError(
      absl::StrCat("read ", options_.path, ": no memory for a block of ", size, " bytes"));
}

absl::StatusOr<FrameLease> TableFile::Finish(FrameLease frame, const BlockHandle& handle) const {
  const BlockKind kind = frame->kind();
  if (kind == BlockKind::kData) options_.cache->Count(ReadCounter::kMiss);
  options_.cache->Count(ReadCounter::kByteRead, handle.size + kTrailerSize);
  const std::string_view stored(frame->buffer(), handle.size);
  ASSIGN_OR_RETURN(const BlockTrailer trailer,
                   Check({frame->buffer(), handle.size + kTrailerSize}, handle, kind));
  if (trailer.codec != Compression::kNone) {
    ASSIGN_OR_RETURN(FrameLease raw, NewFrame(kind, trailer.raw_size));
    RETURN_IF_ERROR(Uncompress(stored, trailer, handle, raw->buffer()));
    frame = std::move(raw);
  }
  const absl::Status parsed = frame->Parse(trailer.raw_size, options_.order);
  if (!parsed.ok()) return Annotate(parsed, kind, handle.offset);
  return frame;
}

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
  const uint64_t left = file_->options().file_size - offset;
  const size_t wanted =
      static_cast<size_t>(std::min<uint64_t>(left, std::max(size, readahead_bytes_)));
  read_size_ = 0;
  RETURN_IF_ERROR(file_->ReadBytes(offset, wanted, read_.Reserve(wanted)));
  read_offset_ = offset;
  read_size_ = wanted;
  return absl::OkStatus();
}

}  // namespace cambium::sstable
