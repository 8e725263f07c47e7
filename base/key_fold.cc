#include "base/key_fold.h"

#include <algorithm>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "util/absl_view.h"

namespace cambium {

KeyFold::State KeyFold::Resolve(std::string_view* value) {
  assert(kind_ == Kind::kValueWithExpiry);
  const std::optional<ExpiringValue> parts = DecodeExpiring(*value);
  if (time_ == nullptr || !parts.has_value()) return State::kUnsupported;
  expiry_micros_ = 0;
  if (time_->HasPassed(parts->expiry_micros)) return State::kDeleted;
  expiry_micros_ = parts->expiry_micros;
  *value = parts->value;
  return State::kValue;
}

KeyFold::State KeyFold::StepOther(Trailer trailer, std::string_view value) {
  if (kind_ == Kind::kValueWithExpiry) {
    state_ = Resolve(&value);
    if (state_ == State::kValue) value_ = value;
    return state_;
  }
  if (kind_ != Kind::kMerge || merge_operator_ == nullptr) return state_ = State::kUnsupported;
  owned().operands.emplace_back(value);
  has_operands_ = true;
  // A search that starts again meets this version again.
  limit_ = trailer - 1;
  return state_;
}

KeyFold::State KeyFold::StepUnderOperands(Trailer trailer, std::string_view value) {
  switch (kind_) {
    case Kind::kValue:
      owned_->base.assign(value);
      has_base_ = true;
      return state_ = State::kMerged;
    case Kind::kDelete:
    case Kind::kSingleDelete:
      return state_ = State::kMerged;
    case Kind::kValueWithExpiry:
      switch (Resolve(&value)) {
        case State::kValue:
          owned_->base.assign(value);
          has_base_ = true;
          return state_ = State::kMerged;
        case State::kDeleted:
          return state_ = State::kMerged;
        default:
          return state_ = State::kUnsupported;
      }
    default:
      return StepOther(trailer, value);
  }
}

void KeyFold::StepOtherNewer(std::string_view value) {
  if (kind_ == Kind::kValueWithExpiry) {
    DropOperands();
    state_ = Resolve(&value);
    if (state_ == State::kValue) KeepValue(value);
    return;
  }
  if (kind_ != Kind::kMerge || merge_operator_ == nullptr) {
    DropOperands();
    state_ = State::kUnsupported;
  }
  if (state_ == State::kUnsupported) return;
  if (!has_operands_) {
    has_base_ = state_ == State::kValue;  // its bytes are already kept
    has_operands_ = oldest_first_ = true;
    state_ = State::kMerged;
  }
  owned().operands.emplace_back(value);
}

absl::Status KeyFold::Merge(std::string_view key, std::string* result) const {
  assert(has_operands_ && (state_ == State::kMerged || state_ == State::kMore));
  std::vector<std::string_view> operands(owned_->operands.begin(), owned_->operands.end());
  if (!oldest_first_) std::reverse(operands.begin(), operands.end());
  std::optional<std::string_view> existing;
  if (has_base_) existing = owned_->base;
  result->clear();
  if (merge_operator_->FullMerge(key, existing, operands, result)) return absl::OkStatus();
  constexpr size_t kShownBytes = 40;
  return absl::DataLossError(
      absl::StrCat("merge key \"", absl::CHexEscape(ToAbsl(key.substr(0, kShownBytes))),
                   "\": the operator ", merge_operator_->Name(), " refuses its ", operands.size(),
                   " operands", has_base_ ? " over a value" : ""));
}

absl::Status UnsupportedKind(Kind kind) {
  if (kind == Kind::kMerge) {
    return absl::FailedPreconditionError(
        "read: the key holds merge operands, and its column family has no merge operator");
  }
  if (kind == Kind::kValueWithExpiry) {
    return absl::DataLossError("read: a value with an expiry is shorter than its expiry");
  }
  return absl::UnimplementedError(absl::StrCat("read: an entry of kind ", static_cast<int>(kind),
                                               ", which a newer release wrote"));
}

}  // namespace cambium
