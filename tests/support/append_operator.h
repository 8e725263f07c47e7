// A merge operator for tests, whose result shows the order and the number of operands.
#ifndef CAMBIUM_TESTS_SUPPORT_APPEND_OPERATOR_H_
#define CAMBIUM_TESTS_SUPPORT_APPEND_OPERATOR_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cambium/merge_operator.h"

namespace cambium::test {

// Joins with commas: "v" with the operands "a" and "b" becomes "v,a,b".
class AppendOperator final : public MergeOperator {
 public:
  // An operand that makes the operator fail.
  static constexpr char kRefused[] = "refused";

  // When PartialMerge() combines operands.
  enum class Partial { kNever, kAlways };
  explicit AppendOperator(Partial partial = Partial::kNever) : partial_(partial) {}

  const char* Name() const override { return "test.append"; }
  bool FullMerge(std::string_view /*key*/, std::optional<std::string_view> existing,
                 std::span<const std::string_view> operands, std::string* result) const override {
    if (existing.has_value()) result->append(*existing);
    bool first = !existing.has_value();
    for (const std::string_view operand : operands) {
      if (operand == kRefused) return false;
      if (!first) result->push_back(',');
      first = false;
      result->append(operand);
    }
    return true;
  }
  bool PartialMerge(std::string_view /*key*/, std::string_view older, std::string_view newer,
                    std::string* result) const override {
    if (partial_ == Partial::kNever || older == kRefused || newer == kRefused) return false;
    result->append(older).append(",").append(newer);
    return true;
  }

 private:
  const Partial partial_;
};

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_APPEND_OPERATOR_H_
