#include "base/batch_codec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "util/absl_view.h"

namespace cambium {
namespace {

// Returns true for tags that are reserved.
bool IsReserved(BatchOpTag tag) {
  return (tag >= BatchOpTag::kSingleDelete && tag <= BatchOpTag::kWideColumns &&
          tag != BatchOpTag::kMerge && tag != BatchOpTag::kRangeDelete &&
          tag != BatchOpTag::kPutWithExpiry) ||
         (tag >= BatchOpTag::kTransactionPrepare && tag <= BatchOpTag::kTransactionRollback);
}

// Returns true if a range delete has a value of the right form.
bool IsRange(const BatchOp& op) {
  if (op.value.empty()) return false;
  const auto flags = static_cast<uint8_t>(op.value.front());
  const size_t end_size = op.value.size() - 1;
  if (flags > (kRangeFromStart | kRangeToEnd) || end_size > kMaxKeySize) return false;
  if ((flags & kRangeFromStart) != 0 && !op.key.empty()) return false;
  return (flags & kRangeToEnd) == 0 || end_size == 0;
}

}  // namespace

std::string EncodeRangeEnd(const KeyCut& begin, const KeyCut& end) {
  assert(begin.place != KeyCut::Place::kAfter && end.place != KeyCut::Place::kAfter);
  const int flags = (begin.has_key() ? 0 : kRangeFromStart) | (end.has_key() ? 0 : kRangeToEnd);
  std::string value(1, static_cast<char>(flags));
  value += end.key;
  return value;
}

RangeTombstone RangeOf(const BatchOp& op, SequenceNumber sequence) {
  assert(op.tag == BatchOpTag::kRangeDelete && IsRange(op));
  const auto flags = static_cast<uint8_t>(op.value.front());
  return {(flags & kRangeFromStart) != 0 ? KeyCut::Start() : KeyCut::Before(op.key),
          (flags & kRangeToEnd) != 0 ? KeyCut::End() : KeyCut::Before(op.value.substr(1)),
          sequence};
}

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
        " is reserved; this program knows put, delete, merge, range delete and put with expiry. A "
        "newer program wrote it"));
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
  const Kind kind = op->tag == BatchOpTag::kPutWithExpiry ? Kind::kValueWithExpiry : Kind::kValue;
  if (!StoredEntryWithinLimits(kind, op->key, op->value)) {
    return Fail("its key or value is outside the limits");
  }
  if (op->tag == BatchOpTag::kRangeDelete && !IsRange(*op)) return Fail("its range is malformed");
  ++done_;
  return true;
}

}  // namespace cambium
