// Compression of blocks: zstd (https://github.com/facebook/zstd, RFC 8878), one frame a block.
//
// The raw size is stored by the caller and handed back at decompression: what a frame says about
// its own size is never believed, and nothing is allocated by it. Contexts belong to threads and
// are reused.
#ifndef CAMBIUM_UTIL_COMPRESSION_H_
#define CAMBIUM_UTIL_COMPRESSION_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace cambium {

// Replaces `*out` by one frame that holds `raw`. False, with `*out` unspecified, where that saves
// less than an eighth or zstd fails: store `raw` as it is. `level` as zstd's, negative ones too.
// Thread-safe.
bool CompressZstd(std::string_view raw, int level, std::string* out);

// Expands `in` into the `raw_size` bytes at `to`, which the caller has bounded and allocated.
// DataLoss where `in` is damaged or does not expand to just that size; the bytes at `to` are
// unspecified then. Thread-safe.
absl::Status UncompressZstd(std::string_view in, char* to, size_t raw_size);

}  // namespace cambium

#endif  // CAMBIUM_UTIL_COMPRESSION_H_
