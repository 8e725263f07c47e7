// Converts between absl::string_view and std::string_view. The only place that needs to.
//
// Debian builds Abseil with its own string_view type, without conversions; in other builds the two
// are the same type. This header compiles with both.
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
