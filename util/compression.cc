#include "util/compression.h"

#include <zstd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "util/thread_index.h"

namespace cambium {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Set at the end of the thread, when its contexts are destroyed: code that runs later in the thread
// (destructors of static objects) creates a context for one call.
constinit thread_local bool thread_ended = false;

// Created at a thread's first use.
struct Contexts {
  ~Contexts() { thread_ended = true; }

  std::unique_ptr<ZSTD_CCtx, FreeContext> compressor;
  std::unique_ptr<ZSTD_DCtx, FreeContext> decompressor;
};
thread_local Contexts contexts;

// Calls `use` with the thread's context of that kind, or with null if zstd has no memory for one.
template <typename Context, typename Use>
auto WithContext(std::unique_ptr<Context, FreeContext> Contexts::*kept, Context* (*create)(),
                 Use use) {
  if (thread_ended) return use(std::unique_ptr<Context, FreeContext>(create()).get());
  if (contexts.*kept == nullptr) (contexts.*kept).reset(create());
  return use((contexts.*kept).get());
}

}  // namespace

bool CompressZstd(std::string_view raw, int level, std::string* out) {
  const size_t limit = raw.size() - raw.size() / 8;
  if (limit == raw.size()) return false;
  // Limits the output to a useful size: zstd stops by itself if that is not enough.
  out->resize(limit);
  const size_t size =
      WithContext(&Contexts::compressor, ZSTD_createCCtx, [&](ZSTD_CCtx* context) -> size_t {
        if (context == nullptr) return 0;
        const size_t result =
            ZSTD_compressCCtx(context, out->data(), out->size(), raw.data(), raw.size(), level);
        return ZSTD_isError(result) != 0 ? 0 : result;
      });
  out->resize(size);
  return size != 0;
}

absl::Status UncompressZstd(std::string_view in, char* to, size_t raw_size) {
  AssertNoEpochGuard();
  return WithContext(
      &Contexts::decompressor, ZSTD_createDCtx, [&](ZSTD_DCtx* context) -> absl::Status {
        if (context == nullptr) {
          return absl::ResourceExhaustedError("zstd: no memory for a decompression context");
        }
        const size_t result = ZSTD_decompressDCtx(context, to, raw_size, in.data(), in.size());
        if (ZSTD_isError(result) != 0) {
          return absl::DataLossError(absl::StrCat("zstd: ", in.size(), " bytes do not expand to ",
                                                  raw_size, ": ", ZSTD_getErrorName(result)));
        }
        if (result != raw_size) {
          return absl::DataLossError(absl::StrCat("zstd: ", in.size(), " bytes expand to ", result,
                                                  ", expected ", raw_size));
        }
        return absl::OkStatus();
      });
}

}  // namespace cambium
