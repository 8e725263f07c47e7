#include "util/compression.h"

#include <zstd.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace cambium {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Compressor = std::unique_ptr<ZSTD_CCtx, FreeContext>;
using Decompressor = std::unique_ptr<ZSTD_DCtx, FreeContext>;

// Set at the end of the thread, when its contexts are gone: what runs later there, destructors of
// statics, makes a context for one call.
constinit thread_local bool thread_ended = false;

// Made at a thread's first use.
struct Contexts {
  Contexts() = default;
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;
  ~Contexts() { thread_ended = true; }

  Compressor compressor;
  Decompressor decompressor;
};
thread_local Contexts contexts;

// Calls `use` with the thread's compressor, or with null where zstd has no memory for one.
template <typename Use>
auto WithCompressor(Use use) {
  if (thread_ended) return use(Compressor(ZSTD_createCCtx()).get());
  if (contexts.compressor == nullptr) contexts.compressor.reset(ZSTD_createCCtx());
  return use(contexts.compressor.get());
}

template <typename Use>
auto WithDecompressor(Use use) {
  if (thread_ended) return use(Decompressor(ZSTD_createDCtx()).get());
  if (contexts.decompressor == nullptr) contexts.decompressor.reset(ZSTD_createDCtx());
  return use(contexts.decompressor.get());
}

}  // namespace

bool CompressZstd(std::string_view raw, int level, std::string* out) {
  const size_t limit = raw.size() - raw.size() / 8;
  if (limit == raw.size()) return false;
  // No more room than is worth using: zstd gives up by itself where that does not do.
  out->resize(limit);
  const size_t size = WithCompressor([&](ZSTD_CCtx* context) -> size_t {
    if (context == nullptr) return 0;
    const size_t result =
        ZSTD_compressCCtx(context, out->data(), out->size(), raw.data(), raw.size(), level);
    return ZSTD_isError(result) != 0 ? 0 : result;
  });
  out->resize(size);
  return size != 0;
}

absl::Status UncompressZstd(std::string_view in, char* to, size_t raw_size) {
  return WithDecompressor([&](ZSTD_DCtx* context) -> absl::Status {
    if (context == nullptr) {
      return absl::ResourceExhaustedError("zstd: no memory for a decompression context");
    }
    const size_t result = ZSTD_decompressDCtx(context, to, raw_size, in.data(), in.size());
    if (ZSTD_isError(result) != 0) {
      return absl::DataLossError(absl::StrCat("zstd: ", in.size(), " bytes do not expand to ",
                                              raw_size, ": ", ZSTD_getErrorName(result)));
    }
    if (result != raw_size) {
      return absl::DataLossError(
          absl::StrCat("zstd: ", in.size(), " bytes expand to ", result, ", expected ", raw_size));
    }
    return absl::OkStatus();
  });
}

}  // namespace cambium
