#include "tools/cambium/exit_code.h"

#include <gtest/gtest.h>

#include "cambium/file_system.h"

namespace cambium::tool {
namespace {

TEST(ExitCode, IsLockedForAHeldLockOnly) {
  EXPECT_EQ(CodeOf(LockHeldError("lock db/LOCK: held by another process")), kLocked);
  // A database that turned read-only, for one.
  EXPECT_EQ(CodeOf(absl::FailedPreconditionError("the database is read-only")), kIo);
}

TEST(ExitCode, StandsForOneKindOfFailure) {
  EXPECT_EQ(CodeOf(absl::OkStatus()), kOk);
  EXPECT_EQ(CodeOf(absl::InvalidArgumentError("")), kUsage);
  EXPECT_EQ(CodeOf(absl::UnavailableError("")), kIo);
  EXPECT_EQ(CodeOf(absl::NotFoundError("there is no database")), kIo);
  EXPECT_EQ(CodeOf(absl::DataLossError("")), kDamaged);
  EXPECT_EQ(CodeOf(absl::ResourceExhaustedError("")), kNoSpace);
  EXPECT_EQ(CodeOf(absl::UnimplementedError("")), kUnsupported);
}

}  // namespace
}  // namespace cambium::tool
