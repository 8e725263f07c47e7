#include "tools/cambium/lmdb_map.h"

#include "absl/strings/str_cat.h"
#include "tools/cambium/text.h"

namespace cambium::tool {
namespace {

constexpr uint64_t kMaxKeyBytes = 511;  // LMDB's default at compile time
constexpr uint64_t kMaxValueBytes = 0xffffffff;
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kPageHeaderBytes = 16;
constexpr uint64_t kNodeBytes = 8 + 1 + 2;  // header, alignment, the slot in the page
// A larger record is stored on separate pages, and the node contains their number.
constexpr uint64_t kMaxNodeBytes = (kPageBytes - kPageHeaderBytes) / 2 - 2;
// Sequential loads leave leaves half full; the branches for keys of 511 bytes are less than half of
// that; and each transaction rewrites changed pages before the old ones are free.
constexpr uint64_t kMargin = 4;
constexpr uint64_t kLeastBytes = uint64_t{64} << 20;
constexpr uint64_t kUnit = uint64_t{1} << 20;  // a multiple of every page size

}  // namespace

absl::Status LmdbMap::Add(std::string_view key, std::string_view value) {
  if (key.empty() || key.size() > kMaxKeyBytes || value.size() > kMaxValueBytes) {
    const std::string start = ToHex(key.substr(0, 16));
    return absl::UnimplementedError(absl::StrCat(
        "the key ", start, key.size() > 16 ? "…" : "", " (in hexadecimal) has ", key.size(),
        " bytes and its value ", value.size(), ": LMDB holds keys of 1 to ", kMaxKeyBytes,
        " bytes and values of ", kMaxValueBytes));
  }
  const uint64_t node = kNodeBytes + key.size() + value.size();
  if (node <= kMaxNodeBytes) {
    leaf_bytes_ += node;
  } else {
    leaf_bytes_ += kNodeBytes + key.size() + sizeof(uint64_t);
    overflow_bytes_ += (kPageHeaderBytes + value.size() + kPageBytes - 1) / kPageBytes * kPageBytes;
  }
  return absl::OkStatus();
}

uint64_t LmdbMap::Bytes() const {
  const uint64_t bytes = kMargin * (leaf_bytes_ + overflow_bytes_) + kLeastBytes;
  return (bytes + kUnit - 1) / kUnit * kUnit;
}

}  // namespace cambium::tool
