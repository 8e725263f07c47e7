#include "base/built_in_operators.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "cambium/merge_operators.h"
#include "util/absl_view.h"
#include "util/coding.h"

namespace cambium {
namespace {

constexpr char kInt64AddName[] = "cambium.int64add";
constexpr char kMaxName[] = "cambium.max";
constexpr char kMinName[] = "cambium.min";
constexpr std::string_view kAppendPrefix = "cambium.append:";

class Int64Add final : public MergeOperator {
 public:
  const char* Name() const override { return kInt64AddName; }

  bool FullMerge(std::string_view /*key*/, std::optional<std::string_view> existing,
                 std::span<const std::string_view> operands, std::string* result) const override {
    uint64_t sum = 0;
    if (existing.has_value() && !Add(*existing, &sum)) return false;
    for (const std::string_view operand : operands) {
      if (!Add(operand, &sum)) return false;
    }
    Store(sum, result);
    return true;
  }

  bool PartialMerge(std::string_view /*key*/, std::string_view older, std::string_view newer,
                    std::string* result) const override {
    uint64_t sum = 0;
    if (!Add(older, &sum) || !Add(newer, &sum)) return false;
    Store(sum, result);
    return true;
  }

 private:
  // Adds in unsigned arithmetic, which wraps as two's complement does.
  static bool Add(std::string_view number, uint64_t* sum) {
    if (number.size() != sizeof *sum) return false;
    *sum += LoadFixed64(number.data());
    return true;
  }
  static void Store(uint64_t number, std::string* result) {
    result->resize(sizeof number);
    StoreFixed64(result->data(), number);
  }
};

// Keeps the greatest of several strings, or the least.
class Extreme final : public MergeOperator {
 public:
  enum class Keep { kMax, kMin };
  explicit Extreme(Keep keep) : keep_(keep) {}

  const char* Name() const override { return keep_ == Keep::kMax ? kMaxName : kMinName; }

  bool FullMerge(std::string_view /*key*/, std::optional<std::string_view> existing,
                 std::span<const std::string_view> operands, std::string* result) const override {
    assert(!operands.empty());
    std::string_view kept = existing.value_or(operands.front());
    for (const std::string_view operand : operands) kept = Better(kept, operand);
    result->assign(kept);
    return true;
  }

  bool PartialMerge(std::string_view /*key*/, std::string_view older, std::string_view newer,
                    std::string* result) const override {
    result->assign(Better(older, newer));
    return true;
  }

 private:
  std::string_view Better(std::string_view a, std::string_view b) const {
    return (keep_ == Keep::kMax) == (a < b) ? b : a;
  }

  const Keep keep_;
};

class Append final : public MergeOperator {
 public:
  explicit Append(std::string separator)
      : separator_(std::move(separator)),
        name_(std::string(kAppendPrefix) + std::string(absl::BytesToHexString(separator_))) {}

  const char* Name() const override { return name_.c_str(); }

  bool FullMerge(std::string_view /*key*/, std::optional<std::string_view> existing,
                 std::span<const std::string_view> operands, std::string* result) const override {
    assert(!operands.empty());
    size_t bytes = existing.value_or(std::string_view()).size();
    for (const std::string_view operand : operands) bytes += separator_.size() + operand.size();
    result->reserve(bytes);
    result->append(existing.value_or(operands.front()));
    for (const std::string_view operand : operands.subspan(existing.has_value() ? 0 : 1)) {
      result->append(separator_).append(operand);
    }
    return true;
  }

  bool PartialMerge(std::string_view /*key*/, std::string_view older, std::string_view newer,
                    std::string* result) const override {
    result->reserve(older.size() + separator_.size() + newer.size());
    result->append(older).append(separator_).append(newer);
    return true;
  }

 private:
  const std::string separator_;
  const std::string name_;
};

// Returns the bytes of lowercase hexadecimal digits, or nullopt if `digits` is anything else.
std::optional<std::string> FromHex(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const size_t high = kDigits.find(digits[i]);
    const size_t low = kDigits.find(digits[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes.push_back(static_cast<char>(high * kDigits.size() + low));
  }
  if (digits.size() % 2 != 0) return std::nullopt;
  return bytes;
}

}  // namespace

std::shared_ptr<const MergeOperator> Int64AddOperator() { return std::make_shared<Int64Add>(); }

std::shared_ptr<const MergeOperator> MaxOperator() {
  return std::make_shared<Extreme>(Extreme::Keep::kMax);
}

std::shared_ptr<const MergeOperator> MinOperator() {
  return std::make_shared<Extreme>(Extreme::Keep::kMin);
}

std::shared_ptr<const MergeOperator> AppendOperator(std::string separator) {
  return std::make_shared<Append>(std::move(separator));
}

std::shared_ptr<const MergeOperator> FindBuiltInOperator(std::string_view name) {
  if (name == kInt64AddName) return Int64AddOperator();
  if (name == kMaxName) return MaxOperator();
  if (name == kMinName) return MinOperator();
  if (!name.starts_with(kAppendPrefix)) return nullptr;
  std::optional<std::string> separator = FromHex(name.substr(kAppendPrefix.size()));
  if (!separator.has_value()) return nullptr;
  return AppendOperator(*std::move(separator));
}

}  // namespace cambium
