// WriteBatch: an ordered list of writes applied as one.
#ifndef CAMBIUM_WRITE_BATCH_H_
#define CAMBIUM_WRITE_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cambium/export.h"

namespace cambium {

// Later operations of a batch win over earlier ones on the same key. Held in the very bytes that
// the log stores (docs/format/log.md), so that a write encodes nothing twice. Thread-compatible.
//
// A key over 64 KiB or a value over 1 GiB is remembered, and DB::Write answers InvalidArgument and
// writes nothing.
class CAMBIUM_EXPORT WriteBatch {
 public:
  WriteBatch();

  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  // See DB::Merge. DB::Write returns FailedPrecondition, and writes nothing, if the database has no
  // merge operator.
  void Merge(std::string_view key, std::string_view operand);
  void Clear();

  // Operations in the batch.
  size_t Count() const;
  // Bytes that the batch takes in the log.
  size_t ByteSize() const { return rep_.size(); }
  // Adds the operations of `other` after this batch's own.
  void Append(const WriteBatch& other);

  // The encoded batch, as the log stores it.
  std::string_view Encoded() const { return rep_; }
  // Whether every key and value so far was inside the limits.
  bool WithinLimits() const { return within_limits_; }
  bool HasMerges() const { return has_merges_; }

 private:
  std::string rep_;
  bool within_limits_ = true;
  bool has_merges_ = false;
};

}  // namespace cambium

#endif  // CAMBIUM_WRITE_BATCH_H_
