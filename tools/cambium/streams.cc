#include "tools/cambium/streams.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cambium::tool {
namespace {

constexpr size_t kPeekBytes = 64;

absl::Status FromErrno(std::string_view what, const std::string& name, int error) {
  const std::string message =
      absl::StrCat(std::string(what), " ", name, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(message);
  }
  return absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path) {
  if (path.empty() || path == "-") {
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
    if (std::ferror(file_) != 0) return FromErrno("read", name_, errno);
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

std::string LineReader::Where() const { return absl::StrCat(name_, ":", line_number_); }

absl::StatusOr<std::unique_ptr<Output>> Output::Open(const std::string& path) {
  if (path.empty() || path == "-") {
    return std::unique_ptr<Output>(new Output("standard output", stdout));
  }
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return FromErrno("create", path, errno);
  return std::unique_ptr<Output>(new Output(path, file));
}

Output::~Output() {
  if (file_ != nullptr && file_ != stdout) std::fclose(file_);
}

void Output::Write(std::string_view bytes) {
  if (error_ != 0) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) error_ = errno;
}

absl::Status Output::Close() {
  std::FILE* const file = std::exchange(file_, nullptr);
  if (file == nullptr) return absl::OkStatus();
  const int failed = file == stdout ? std::fflush(file) : std::fclose(file);
  if (failed != 0 && error_ == 0) error_ = errno;
  if (error_ == 0 || error_ == EPIPE) return absl::OkStatus();
  return FromErrno("write", name_, error_);
}

bool Output::IsTerminal() const { return file_ != nullptr && ::isatty(::fileno(file_)) != 0; }

}  // namespace cambium::tool
