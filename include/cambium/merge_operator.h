// MergeOperator: what an operand of DB::Merge does to the value of its key.
#ifndef CAMBIUM_MERGE_OPERATOR_H_
#define CAMBIUM_MERGE_OPERATOR_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cambium/export.h"

namespace cambium {

// Turns a value and the operands that were merged into it since into one value. An operand is
// stored as it is and applied when the key is read, or by a flush or compaction that meets it
// together with what it applies to. When that happens must not change the result.
//
// Implementations are stateless or immutable: every method may be called from several threads at
// once, and on a thread of the database's own. They throw nothing but std::bad_alloc.
class CAMBIUM_EXPORT MergeOperator {
 public:
  virtual ~MergeOperator();

  // Change it whenever the meaning of stored operands changes.
  virtual const char* Name() const = 0;

  // Sets `*result`, which is empty, to the value of `key`. `existing` is the value that the
  // operands apply to, nullopt if there is none; `operands`, at least one, come oldest first.
  // Returns false if they make no value: a read of the key then returns DataLoss, and its operands
  // are kept.
  virtual bool FullMerge(std::string_view key, std::optional<std::string_view> existing,
                         std::span<const std::string_view> operands, std::string* result) const = 0;

  // Sets `*result`, which is empty, to one operand that does what `older` and then `newer` do.
  // Returns false if there is no such operand, as the default does: both are kept.
  virtual bool PartialMerge(std::string_view key, std::string_view older, std::string_view newer,
                            std::string* result) const;
};

}  // namespace cambium

#endif  // CAMBIUM_MERGE_OPERATOR_H_
