// WriteBatch: an ordered list of writes applied as one.
#ifndef CAMBIUM_WRITE_BATCH_H_
#define CAMBIUM_WRITE_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cambium/export.h"

namespace cambium {

// A later operation on a key takes effect after an earlier one. A batch holds the bytes that the
// log stores (docs/format/log.md), so that a write encodes nothing twice. Thread-compatible.
//
// If a key exceeds 64 KiB or a value 1 GiB, DB::Write returns InvalidArgument and writes nothing.
class CAMBIUM_EXPORT WriteBatch {
 public:
  WriteBatch();

  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  // See DB::Merge. If the database has no merge operator, DB::Write returns FailedPrecondition and
  // writes nothing.
  void Merge(std::string_view key, std::string_view operand);
  void Clear();

  // Returns the number of operations.
  size_t Count() const;
  // Returns the number of bytes that the batch takes in the log.
  size_t ByteSize() const { return rep_.size(); }
  // Appends the operations of `other`.
  void Append(const WriteBatch& other);

  // Returns the encoded batch, as the log stores it. Valid until the batch changes.
  std::string_view Encoded() const { return rep_; }
  // Returns true if every key and value is within the limits.
  bool WithinLimits() const { return within_limits_; }
  // Returns true if there is a Merge() among the operations.
  bool HasMerges() const { return has_merges_; }

 private:
  std::string rep_;
  bool within_limits_ = true;
  bool has_merges_ = false;
};

}  // namespace cambium

#endif  // CAMBIUM_WRITE_BATCH_H_
