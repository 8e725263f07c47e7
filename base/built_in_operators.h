// The built-in merge operators by the names under which a manifest stores them.
#ifndef CAMBIUM_BASE_BUILT_IN_OPERATORS_H_
#define CAMBIUM_BASE_BUILT_IN_OPERATORS_H_

#include <memory>
#include <string_view>

#include "cambium/merge_operator.h"

namespace cambium {

// Returns the operator with that name, or null if there is none. The names are stored in files and
// never change:
//
//   cambium.int64add, cambium.max, cambium.min
//   cambium.append:2c20    the separator ", " as lowercase hexadecimal digits
std::shared_ptr<const MergeOperator> FindBuiltInOperator(std::string_view name);

}  // namespace cambium

#endif  // CAMBIUM_BASE_BUILT_IN_OPERATORS_H_
