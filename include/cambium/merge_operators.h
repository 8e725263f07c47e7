// The built-in merge operators. A database stores the name of each family's operator; if it is
// built in, DB::Open finds it by that name, and the program need not give it again.
#ifndef CAMBIUM_MERGE_OPERATORS_H_
#define CAMBIUM_MERGE_OPERATORS_H_

#include <memory>
#include <string>

#include "cambium/export.h"
#include "cambium/merge_operator.h"

namespace cambium {

// Adds operands to the value: 8 bytes, little-endian, two's complement. A key that does not exist
// counts as 0; the sum wraps. If the value or an operand has another length, a read of the key
// returns DataLoss, and its operands are kept.
CAMBIUM_EXPORT std::shared_ptr<const MergeOperator> Int64AddOperator();

// Keep the largest, or the smallest, of the value and the operands, in the order of their bytes.
CAMBIUM_EXPORT std::shared_ptr<const MergeOperator> MaxOperator();
CAMBIUM_EXPORT std::shared_ptr<const MergeOperator> MinOperator();

// Appends operands to the value, with `separator`, which may be empty and contain any bytes,
// between any two parts, also if a part is empty. The separator is part of the operator's name.
CAMBIUM_EXPORT std::shared_ptr<const MergeOperator> AppendOperator(std::string separator);

}  // namespace cambium

#endif  // CAMBIUM_MERGE_OPERATORS_H_
