// Input by lines and buffered output, for files, standard input, and standard output.
#ifndef CAMBIUM_TOOLS_CAMBIUM_STREAMS_H_
#define CAMBIUM_TOOLS_CAMBIUM_STREAMS_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cambium::tool {

// Returns true if `path` names standard input or output rather than a file: "-".
inline bool IsStandardStream(std::string_view path) { return path == "-"; }

// Returns true if the file `path`, or the file that it is a symbolic link to, is in `directory`.
bool IsIn(const std::string& path, const std::string& directory);

// Reads the lines of a file. Memory: the longest line. Confined to one thread.
class LineReader {
 public:
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Reads the next line, without its newline; returns false at the end of the input. The view lives
  // until the next call. Returns DataLoss if the input ends inside a line: it was cut off.
  absl::StatusOr<bool> Next(std::string_view* line);

  // Returns the first bytes of the input without consuming them: at least one if there is one.
  absl::StatusOr<std::string_view> Peek();

  const std::string& name() const { return name_; }
  // Returns the number of the last line; the first is 1.
  uint64_t line_number() const { return line_number_; }
  // Returns "FILE:12".
  std::string At(uint64_t line_number) const;
  // Returns "FILE:12", the place of the last line.
  std::string Where() const { return At(line_number_); }

 private:
  LineReader(std::string name, std::FILE* file) : name_(std::move(name)), file_(file) {}

  const std::string name_;
  std::FILE* const file_;
  std::string peeked_;
  char* line_ = nullptr;  // allocated by getline
  size_t capacity_ = 0;
  std::string joined_;
  uint64_t line_number_ = 0;
};

// The output of a command. A regular file appears under its name only when Close succeeds: a failed
// command leaves the previous file unchanged. Confined to one thread.
class Output {
 public:
  static absl::StatusOr<std::unique_ptr<Output>> Open(const std::string& path);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void Write(std::string_view bytes);
  // Returns true if more output is useful: nothing has failed, and the reader has not closed its
  // end.
  bool wanted() const { return error_ == 0; }
  // Flushes; syncs a regular file and gives it its name. Also returns ok if the reader has closed
  // its end. Idempotent.
  absl::Status Close();
  // Returns true if the output is a terminal, which a person reads.
  bool IsTerminal() const;

 private:
  Output(std::string name, std::FILE* file) : name_(std::move(name)), file_(file) {}

  // Opens a temporary file next to `path`, which Close renames to it. Returns null if that is
  // impossible.
  static std::unique_ptr<Output> OpenBeside(const std::string& path, bool exists, uint32_t mode);

  const std::string name_;
  std::FILE* file_;
  std::string written_path_, final_path_;  // of a regular file; otherwise empty
  int error_ = 0;                          // errno of the first failure
};

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_STREAMS_H_
