// Block compression: zstd (https://github.com/facebook/zstd, RFC 8878), one frame per block.
//
// The caller stores the raw size and passes it to decompression: the size in a frame is never
// trusted or used for an allocation. Contexts belong to threads and are reused.
#ifndef CAMBIUM_UTIL_COMPRESSION_H_
#define CAMBIUM_UTIL_COMPRESSION_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace cambium {

// Replaces `*out` with one frame that contains `raw`. Returns false, with `*out` unspecified, if
// that saves less than an eighth or zstd fails: then store `raw` uncompressed. `level` is zstd's
// level, which may be negative. Thread-safe.
bool CompressZstd(std::string_view raw, int level, std::string* out);

// Decompresses `in` into the `raw_size` bytes at `to`, which the caller has bounded and allocated.
// Returns DataLoss, with the bytes at `to` unspecified, if `in` is damaged or does not decompress
// to exactly that size. Thread-safe.
absl::Status UncompressZstd(std::string_view in, char* to, size_t raw_size);

}  // namespace cambium

#endif  // CAMBIUM_UTIL_COMPRESSION_H_
