// ShownKey: a key in an error message.
#ifndef CAMBIUM_ENGINE_SHOWN_KEY_H_
#define CAMBIUM_ENGINE_SHOWN_KEY_H_

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "util/absl_view.h"

namespace cambium::engine {

// Returns the key in quotes, escaped; of a long one, the beginning.
inline std::string ShownKey(std::string_view key) {
  constexpr size_t kShownBytes = 40;
  return absl::StrCat("key \"", absl::CHexEscape(ToAbsl(key.substr(0, kShownBytes))), "\"");
}

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_SHOWN_KEY_H_
