// ValidateOptions: which values of Options make sense.
#ifndef CAMBIUM_ENGINE_VALIDATE_OPTIONS_H_
#define CAMBIUM_ENGINE_VALIDATE_OPTIONS_H_

#include "absl/status/status.h"
#include "cambium/options.h"

namespace cambium::engine {

// Returns ok, or InvalidArgument that names the first option outside its bounds, and the bounds.
absl::Status ValidateOptions(const Options& options);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_VALIDATE_OPTIONS_H_
