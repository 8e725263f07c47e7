// The one place where absl::string_view meets std::string_view.
//
// Debian builds Abseil with a string_view of its own, without conversions; other builds make the
// two one type. This header compiles with both.
#ifndef CAMBIUM_UTIL_ABSL_VIEW_H_
#define CAMBIUM_UTIL_ABSL_VIEW_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace cambium {

inline absl::string_view ToAbsl(std::string_view view) {
  return absl::string_view(view.data(), view.size());
}
inline std::string_view FromAbsl(absl::string_view view) {
  return std::string_view(view.data(), view.size());
}

}  // namespace cambium

#endif  // CAMBIUM_UTIL_ABSL_VIEW_H_
