#include "base/batch_codec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "util/absl_view.h"

namespace cambium {
namespace {

// Returns true for tags that are reserved.
bool IsReserved(BatchOpTag tag) {
  return (tag >= BatchOpTag::kSingleDelete && tag <= BatchOpTag::kWideColumns &&
          tag != BatchOpTag::kMerge && tag != BatchOpTag::kPutWithExpiry) ||
         (tag >= BatchOpTag::kTransactionPrepare && tag <= BatchOpTag::kTransactionRollback);
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
  op->tag = static_cast<BatchOpTag>(byte & static_cast<uint8_t>(~kBatchColumnFamilyBit));
  const bool has_value = HasValue(op->tag);
  if (IsReserved(op->tag)) {
    status_ = absl::UnimplementedError(absl::StrCat(
        "write batch, operation ", done_, " of ", count_, ": tag ", static_cast<int>(op->tag),
        " is reserved; this program knows put, delete, merge and put with expiry. A newer program "
        "wrote it"));
    return false;
  }
  if (!has_value && op->tag != BatchOpTag::kDelete) {
    return Fail(FromAbsl(absl::StrCat("unknown tag ", int{byte})));
  }
  op->column_family = (byte & kBatchColumnFamilyBit) != 0 ? reader_.ReadVarint32() : 0;
  op->key = reader_.ReadLengthPrefixed();
  op->value = has_value ? reader_.ReadLengthPrefixed() : std::string_view();
  if (!reader_.ok()) return Fail("the bytes end inside it");
  op->value_head = {};
  if (!StoredEntryWithinLimits(KindOf(op->tag), op->key, op->value))
    return Fail("its key or value is outside the limits");
  ++done_;
  return true;
}

}  // namespace cambium
