#include "cambium/merge_operator.h"

namespace cambium {

MergeOperator::~MergeOperator() = default;

bool MergeOperator::PartialMerge(std::string_view /*key*/, std::string_view /*older*/,
                                 std::string_view /*newer*/, std::string* /*result*/) const {
  return false;
}

}  // namespace cambium
