#include "base/batch_codec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "util/absl_view.h"

namespace cambium {
namespace {

enum class Shape { kKeyAndValue, kKeyOnly, kReserved, kUnknown };

Shape ShapeOf(uint8_t tag) {
  switch (static_cast<BatchOpTag>(tag)) {
    case BatchOpTag::kPut:
      return Shape::kKeyAndValue;
    case BatchOpTag::kDelete:
      return Shape::kKeyOnly;
    case BatchOpTag::kSingleDelete:
    case BatchOpTag::kMerge:
    case BatchOpTag::kRangeDelete:
    case BatchOpTag::kPutWithExpiry:
    case BatchOpTag::kWideColumns:
    case BatchOpTag::kTransactionPrepare:
    case BatchOpTag::kTransactionCommit:
    case BatchOpTag::kTransactionRollback:
      return Shape::kReserved;
  }
  return Shape::kUnknown;
}

}  // namespace

BatchReader::BatchReader(std::string_view encoded) : reader_(encoded) {
  count_ = reader_.ReadFixed32();
  if (!reader_.ok()) Fail("it is shorter than its count");
}

bool BatchReader::Fail(std::string_view what) {
  status_ = absl::DataLossError(
      absl::StrCat("write batch, operation ", done_, " of ", count_, ": ", ToAbsl(what)));
  return false;
}

bool BatchReader::Next(BatchOp* op) {
  if (!status_.ok()) return false;
  if (done_ == count_) {
    return reader_.AtEnd() ? false : Fail("bytes follow the last operation");
  }
  const uint8_t byte = reader_.ReadFixed8();
  if (!reader_.ok()) return Fail("the bytes end before it");
  const uint8_t tag = byte & static_cast<uint8_t>(~kBatchColumnFamilyBit);
  const Shape shape = ShapeOf(tag);
  if (shape == Shape::kUnknown) return Fail(FromAbsl(absl::StrCat("unknown tag ", int{byte})));
  if (shape == Shape::kReserved) {
    status_ = absl::UnimplementedError(
        absl::StrCat("write batch, operation ", done_, " of ", count_, ": tag ", int{tag},
                     " is reserved; this program knows put and delete. A newer program wrote it"));
    return false;
  }
  op->tag = static_cast<BatchOpTag>(tag);
  op->column_family = (byte & kBatchColumnFamilyBit) != 0 ? reader_.ReadVarint32() : 0;
  op->key = reader_.ReadLengthPrefixed();
  op->value = shape == Shape::kKeyAndValue ? reader_.ReadLengthPrefixed() : std::string_view();
  if (!reader_.ok()) return Fail("the bytes end inside it");
  if (!EntryWithinLimits(op->key, op->value)) return Fail("its key or value exceeds the limits");
  ++done_;
  return true;
}

}  // namespace cambium
