#include "engine/write/batch_expiry.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/batch_codec.h"
#include "base/expiry.h"
#include "base/limits.h"
#include "engine/tree/tree.h"
#include "engine/write/log_and_memtables.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Returns the TTL of an operation; 0 if it has none.
std::chrono::milliseconds TtlOf(const BatchOp& op, std::chrono::milliseconds default_ttl) {
  if (op.tag == BatchOpTag::kPut) return default_ttl;
  if (op.tag != BatchOpTag::kPutWithExpiry) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(static_cast<int64_t>(LoadFixed64(op.value.data())));
}

}  // namespace

absl::StatusOr<std::string> ResolveTtls(std::string_view encoded, std::span<const TreeShare> shares,
                                        uint64_t now_micros) {
  std::string out;
  out.reserve(encoded.size());
  out.append(encoded.substr(0, kBatchHeaderSize));
  BatchReader reader(encoded);
  for (BatchOp op; reader.Next(&op);) {
    const TreeShare* const share = FindShare(shares, op.column_family);
    assert(share != nullptr);
    const std::chrono::milliseconds ttl = TtlOf(op, share->tree->options().default_ttl);
    BatchOpTag tag = op.tag;
    std::string_view value = op.value;
    if (tag == BatchOpTag::kPutWithExpiry) value.remove_prefix(kExpirySize);
    const bool is_put = tag == BatchOpTag::kPut || tag == BatchOpTag::kPutWithExpiry;
    if (is_put) tag = ttl.count() == 0 ? BatchOpTag::kPut : BatchOpTag::kPutWithExpiry;
    const uint64_t expiry = ttl.count() == 0 ? 0 : ExpiryAfter(now_micros, ttl);
    const SingleOp resolved(tag, op.key, value, op.column_family, expiry);
    out.append(resolved.pieces()[0].substr(kBatchHeaderSize));
    for (const std::string_view piece : resolved.pieces().subspan(1)) out.append(piece);
  }
  RETURN_IF_ERROR(reader.status());
  if (out.size() <= kMaxBatchSize) return out;
  return absl::InvalidArgumentError(absl::StrCat(
      "a batch of ", out.size(), " bytes, with expiries: the limit is ", kMaxBatchSize));
}

}  // namespace cambium::engine
