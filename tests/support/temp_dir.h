// TempDir: a directory of the real file system that is removed with its object.
#ifndef CAMBIUM_TESTS_SUPPORT_TEMP_DIR_H_
#define CAMBIUM_TESTS_SUPPORT_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace cambium::test {

// Created under $TMPDIR, or /tmp. Thread-compatible.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "cambium-test-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  // Empty if the directory could not be created.
  const std::string& path() const { return path_; }
  std::string Sub(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_TEMP_DIR_H_
