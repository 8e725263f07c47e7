// Assertions for a Status or a StatusOr, which print it if they fail.
#ifndef CAMBIUM_TESTS_SUPPORT_STATUS_TEST_H_
#define CAMBIUM_TESTS_SUPPORT_STATUS_TEST_H_

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cambium::test {

// Succeeds if the code is `code`.
inline testing::AssertionResult HasCode(const absl::Status& status, absl::StatusCode code) {
  if (status.code() == code) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "expected " << absl::StatusCodeToString(code) << ", got " << status.ToString();
}
template <typename T>
testing::AssertionResult HasCode(const absl::StatusOr<T>& value, absl::StatusCode code) {
  return HasCode(value.status(), code);
}

}  // namespace cambium::test

#define CAMBIUM_ASSERT_OK(expression) \
  ASSERT_TRUE(::cambium::test::HasCode((expression), ::absl::StatusCode::kOk))
#define CAMBIUM_EXPECT_OK(expression) \
  EXPECT_TRUE(::cambium::test::HasCode((expression), ::absl::StatusCode::kOk))
#define CAMBIUM_EXPECT_CODE(expression, code) \
  EXPECT_TRUE(::cambium::test::HasCode((expression), ::absl::StatusCode::code))

#endif  // CAMBIUM_TESTS_SUPPORT_STATUS_TEST_H_
