// SingleWrite: the request for a commit of one operation, whose bytes are on the stack.
#ifndef CAMBIUM_ENGINE_WRITE_SINGLE_WRITE_H_
#define CAMBIUM_ENGINE_WRITE_SINGLE_WRITE_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/batch_codec.h"
#include "engine/state/mem_slot.h"
#include "engine/tree/tree.h"
#include "engine/write/commit_pipeline.h"

namespace cambium::engine {

// Returns InvalidArgument if the key or the value is too large.
inline absl::Status CheckLimits(std::string_view key, std::string_view value) {
  if (EntryWithinLimits(key, value)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a key of ", key.size(), " bytes and a value of ",
                                                 value.size(), " bytes: limits are ", kMaxKeySize,
                                                 " and ", kMaxValueSize));
}

// Key and value must be within the limits, and outlive it. Confined to its thread.
class SingleWrite {
 public:
  // `expiry_micros` is for kPutWithExpiry.
  SingleWrite(Tree* tree, BatchOpTag tag, std::string_view key, std::string_view value,
              uint64_t expiry_micros = 0)
      : op_(tag, key, value, tree->id(), expiry_micros),
        share_{tree, MemTableBytes(op_.ByteSize(), 1, tag == BatchOpTag::kRangeDelete ? 1 : 0)} {
    request_.pieces = op_.pieces();
    request_.payload_size = op_.ByteSize();
    request_.count = 1;
    request_.single = &op_;
    request_.shares = {&share_, 1};
  }
  SingleWrite(const SingleWrite&) = delete;
  SingleWrite& operator=(const SingleWrite&) = delete;

  // Refers to this object.
  CommitRequest* request() { return &request_; }

 private:
  const SingleOp op_;
  TreeShare share_;
  CommitRequest request_;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_WRITE_SINGLE_WRITE_H_
