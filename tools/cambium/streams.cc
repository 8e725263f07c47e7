#include "tools/cambium/streams.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cambium::tool {
namespace {

constexpr size_t kPeekBytes = 64;
constexpr int kMaxNames = 100;  // attempts to find a name for the temporary file

absl::Status FromErrno(std::string_view what, const std::string& name, int error) {
  const std::string message =
      absl::StrCat(std::string(what), " ", name, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG || error == ENOMEM) {
    return absl::ResourceExhaustedError(message);
  }
  return absl::UnavailableError(message);
}

}  // namespace

bool IsIn(const std::string& path, const std::string& directory) {
  if (IsStandardStream(path)) return false;
  std::error_code error;
  const std::filesystem::path file = std::filesystem::weakly_canonical(path, error);
  if (error) return false;  // then it cannot be opened either
  return std::filesystem::equivalent(file.parent_path(), directory, error);
}

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path) {
  if (IsStandardStream(path)) {
    return std::unique_ptr<LineReader>(new LineReader("standard input", stdin));
  }
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return FromErrno("open", path, errno);
  return std::unique_ptr<LineReader>(new LineReader(path, file));
}

LineReader::~LineReader() {
  std::free(line_);
  if (file_ != stdin) std::fclose(file_);
}

absl::StatusOr<std::string_view> LineReader::Peek() {
  while (peeked_.size() < kPeekBytes) {
    const int byte = std::getc(file_);
    if (byte == EOF) break;
    peeked_.push_back(static_cast<char>(byte));
    if (byte == '\n') break;
  }
  if (std::ferror(file_) != 0) return FromErrno("read", name_, errno);
  return std::string_view(peeked_);
}

absl::StatusOr<bool> LineReader::Next(std::string_view* line) {
  ++line_number_;
  joined_ = std::exchange(peeked_, {});
  if (joined_.empty() || joined_.back() != '\n') {
    errno = 0;
    const ssize_t size = ::getline(&line_, &capacity_, file_);
    // If there is no memory for the line, getline fails without setting a flag of the stream.
    if (size < 0 && std::feof(file_) == 0) {
      return FromErrno("read", Where(), errno != 0 ? errno : EIO);
    }
    if (size < 0 && joined_.empty()) {
      --line_number_;
      return false;
    }
    const std::string_view rest(line_, size < 0 ? 0 : static_cast<size_t>(size));
    if (joined_.empty()) {
      *line = rest;
    } else {
      joined_ += rest;
      *line = joined_;
    }
  } else {
    *line = joined_;
  }
  if (line->back() != '\n') {
    return absl::DataLossError(absl::StrCat(Where(), ": the input ends inside a line"));
  }
  line->remove_suffix(1);
  return true;
}

std::string LineReader::At(uint64_t line_number) const {
  return absl::StrCat(name_, ":", line_number);
}

std::unique_ptr<Output> Output::OpenBeside(const std::string& path, bool exists, uint32_t mode) {
  // A symbolic link is kept: its target is replaced.
  std::string target = path;
  if (exists) {
    char* const resolved = ::realpath(path.c_str(), nullptr);
    if (resolved == nullptr) return nullptr;
    target = resolved;
    std::free(resolved);
  }
  std::string written;
  int descriptor = -1;
  for (int i = 0; i < kMaxNames && descriptor < 0; ++i) {
    written = absl::StrCat(target, ".", ::getpid(), "-", i, ".part");
    descriptor = ::open(written.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno != EEXIST) return nullptr;
  }
  if (descriptor < 0) return nullptr;
  if (exists) (void)!::fchmod(descriptor, mode & 07777);
  std::FILE* const file = ::fdopen(descriptor, "wb");
  if (file == nullptr) {
    ::close(descriptor);
    ::unlink(written.c_str());
    return nullptr;
  }
  std::unique_ptr<Output> output(new Output(path, file));
  output->written_path_ = std::move(written);
  output->final_path_ = std::move(target);
  return output;
}

absl::StatusOr<std::unique_ptr<Output>> Output::Open(const std::string& path) {
  if (IsStandardStream(path)) {
    return std::unique_ptr<Output>(new Output("standard output", stdout));
  }
  struct stat info = {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  const bool missing = !exists && ::lstat(path.c_str(), &info) != 0 && errno == ENOENT;
  if (missing || (exists && S_ISREG(info.st_mode))) {
    std::unique_ptr<Output> output = OpenBeside(path, exists, info.st_mode);
    if (output != nullptr) return output;
  }
  // A device, a pipe, or a file in a directory in which no other file can be created.
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return FromErrno("create", path, errno);
  return std::unique_ptr<Output>(new Output(path, file));
}

Output::~Output() {
  if (file_ == nullptr) return;
  if (file_ != stdout) std::fclose(file_);
  if (!written_path_.empty()) ::unlink(written_path_.c_str());
}

void Output::Write(std::string_view bytes) {
  if (error_ != 0) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) error_ = errno;
}

absl::Status Output::Close() {
  std::FILE* const file = std::exchange(file_, nullptr);
  if (file == nullptr) return absl::OkStatus();
  const auto note = [this](int result) {
    if (result != 0 && error_ == 0) error_ = errno != 0 ? errno : EIO;
  };
  errno = 0;
  note(std::fflush(file));
  if (!written_path_.empty()) note(::fsync(::fileno(file)));
  if (file != stdout) note(std::fclose(file));
  if (!written_path_.empty()) {
    if (error_ == 0) note(std::rename(written_path_.c_str(), final_path_.c_str()));
    if (error_ != 0) ::unlink(written_path_.c_str());
  }
  if (error_ == 0 || error_ == EPIPE) return absl::OkStatus();
  return FromErrno("write", name_, error_);
}

bool Output::IsTerminal() const { return file_ != nullptr && ::isatty(::fileno(file_)) != 0; }

}  // namespace cambium::tool
