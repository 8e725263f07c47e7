// Helpers for the tests of env/: write a file, read a file, a temporary directory.
#ifndef CAMBIUM_TESTS_ENV_ENV_TEST_UTIL_H_
#define CAMBIUM_TESTS_ENV_ENV_TEST_UTIL_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "cambium/file_system.h"
#include "util/absl_view.h"

namespace cambium::env {

#define ASSERT_OK(expression)                    \
  do {                                           \
    const absl::Status status_of = (expression); \
    ASSERT_TRUE(status_of.ok()) << status_of;    \
  } while (false)
#define EXPECT_OK(expression)                    \
  do {                                           \
    const absl::Status status_of = (expression); \
    EXPECT_TRUE(status_of.ok()) << status_of;    \
  } while (false)

inline std::string MessageOf(const absl::Status& status) {
  return std::string(FromAbsl(status.message()));
}

// A directory on the machine, removed with all its contents. Confined to the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cambium_env_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Returns the existing bytes of [offset, offset + size), or "error: …".
inline std::string ReadAt(FileSystem& files, const std::string& path, uint64_t offset,
                          size_t size) {
  auto file = files.OpenRandomAccess(path);
  if (!file.ok()) return "error: " + MessageOf(file.status());
  std::string buffer(size, '?');
  ReadRequest request;
  request.offset = offset;
  request.buffer = buffer.data();
  request.size = size;
  (*file)->Read(std::span<ReadRequest>(&request, 1));
  if (!request.status.ok()) return "error: " + MessageOf(request.status);
  buffer.resize(request.bytes_read);
  return buffer;
}

inline std::string ReadAll(FileSystem& files, const std::string& path) {
  auto size = files.FileSize(path);
  if (!size.ok()) return "error: " + MessageOf(size.status());
  return ReadAt(files, path, 0, static_cast<size_t>(*size) + 1);
}

enum class Durability { kUnsynced, kSynced };

inline absl::Status WriteNew(FileSystem& files, const std::string& path, std::string_view content,
                             Durability durability = Durability::kUnsynced) {
  auto file = files.CreateWritable(path);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->Append(content);
  if (durability == Durability::kSynced) status.Update((*file)->Sync());
  status.Update((*file)->Close());
  return status;
}

}  // namespace cambium::env

#endif  // CAMBIUM_TESTS_ENV_ENV_TEST_UTIL_H_
