#include "engine/state/mem_slot.h"

#include "absl/strings/str_cat.h"
#include "util/checksum.h"
#include "util/status_macros.h"

namespace cambium::engine {

absl::Status InsertOp(const BatchOp& op, SequenceNumber sequence, MemSlot* slot) {
  if (op.column_family != 0) {
    return absl::UnimplementedError(
        absl::StrCat("a write to column family ", op.column_family, " of a newer release"));
  }
  const Kind kind = op.tag == BatchOpTag::kPut ? Kind::kValue : Kind::kDelete;
  const uint64_t hash = slot->order.comparator_identical() ? HashKey(op.key) : 0;
  slot->table.Add(op.key, MakeTag(sequence, kind), op.value, hash);
  return absl::OkStatus();
}

absl::Status InsertBatch(std::string_view encoded, SequenceNumber first,
                         SequenceNumber skip_through, MemSlot* slot) {
  BatchReader reader(encoded);
  BatchOp op;
  for (SequenceNumber sequence = first; reader.Next(&op); ++sequence) {
    if (sequence <= skip_through) continue;
    RETURN_IF_ERROR(InsertOp(op, sequence, slot));
  }
  return reader.status();
}

}  // namespace cambium::engine
