// The two macros that return the error of a Status or StatusOr from a function.
#ifndef CAMBIUM_UTIL_STATUS_MACROS_H_
#define CAMBIUM_UTIL_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function if `expression` is not ok.
#define RETURN_IF_ERROR(expression)                           \
  do {                                                        \
    if (absl::Status status_ = (expression); !status_.ok()) { \
      return status_;                                         \
    }                                                         \
  } while (false)

// `ASSIGN_OR_RETURN(auto file, OpenFile(path));` assigns the value, or returns the error from the
// enclosing function.
#define ASSIGN_OR_RETURN(left, expression) \
  CAMBIUM_ASSIGN_OR_RETURN_(CAMBIUM_CONCAT_(or_, __LINE__), left, expression)
#define CAMBIUM_ASSIGN_OR_RETURN_(name, left, expression) \
  auto name = (expression);                               \
  if (!name.ok()) return std::move(name).status();        \
  left = std::move(name).value()
#define CAMBIUM_CONCAT_(a, b) CAMBIUM_CONCAT_INNER_(a, b)
#define CAMBIUM_CONCAT_INNER_(a, b) a##b

#endif  // CAMBIUM_UTIL_STATUS_MACROS_H_
