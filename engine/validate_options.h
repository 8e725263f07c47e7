// ValidateOptions: checks the values of Options.
#ifndef CAMBIUM_ENGINE_VALIDATE_OPTIONS_H_
#define CAMBIUM_ENGINE_VALIDATE_OPTIONS_H_

#include <string_view>

#include "absl/status/status.h"
#include "cambium/options.h"

namespace cambium::engine {

// Returns ok, or InvalidArgument with the name and the bounds of the first option that is out of
// bounds.
absl::Status ValidateOptions(const Options& options);
// The same for the options of one family. The message names an option as `owner`::option.
absl::Status ValidateFamilyOptions(const ColumnFamilyOptions& options, std::string_view owner);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_VALIDATE_OPTIONS_H_
