// Input by lines and buffered output, over files, standard input and standard output.
#ifndef CAMBIUM_TOOLS_CAMBIUM_STREAMS_H_
#define CAMBIUM_TOOLS_CAMBIUM_STREAMS_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cambium::tool {

// Lines of a file. Memory: the longest line. Confined to one thread.
class LineReader {
 public:
  // "-" is standard input.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its newline, or false at the end of the input. The view lives until the
  // next call. DataLoss where the input ends inside a line: it was cut off.
  absl::StatusOr<bool> Next(std::string_view* line);

  // The first bytes of the input, not consumed: at least one where there is one.
  absl::StatusOr<std::string_view> Peek();

  // "FILE:12": where the last line was.
  std::string Where() const;

 private:
  LineReader(std::string name, std::FILE* file) : name_(std::move(name)), file_(file) {}

  const std::string name_;
  std::FILE* const file_;
  std::string peeked_;
  char* line_ = nullptr;  // getline's
  size_t capacity_ = 0;
  std::string joined_;
  uint64_t line_number_ = 0;
};

// What a command prints. Confined to one thread.
class Output {
 public:
  // "" and "-" are standard output; a file is made, or emptied.
  static absl::StatusOr<std::unique_ptr<Output>> Open(const std::string& path);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void Write(std::string_view bytes);
  // Whether more is worth writing: false after an error, and after the reader has closed its end.
  bool wanted() const { return error_ == 0; }
  // Flushes; ok also where the reader has closed its end.
  absl::Status Close();
  // Whether a person reads it.
  bool IsTerminal() const;

 private:
  Output(std::string name, std::FILE* file) : name_(std::move(name)), file_(file) {}

  const std::string name_;
  std::FILE* file_;
  int error_ = 0;  // errno of the first failure
};

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_STREAMS_H_
