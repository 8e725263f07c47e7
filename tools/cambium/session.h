// What the commands share: opening a database for looking or for writing, keys as given, progress.
#ifndef CAMBIUM_TOOLS_CAMBIUM_SESSION_H_
#define CAMBIUM_TOOLS_CAMBIUM_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cambium/db.h"
#include "tools/cambium/commands.h"
#include "tools/cambium/formats.h"

namespace cambium::tool {

enum class Access {
  kLook,    // reads, and changes nothing on disk
  kChange,  // writes to a database that exists
  kMake,    // writes, and makes the database where there is none
};

// Opens the database, or prints why not; then `*exit_code` is set and the answer is null.
std::unique_ptr<DB> OpenOrFail(const Arguments& arguments, Access access, int* exit_code);

// Closes the database; prints the first of `status` and the outcome of that which is not ok, and
// returns the exit code.
int Finish(DB* db, const absl::Status& status);

// Returns the format that --format names, or `otherwise` without it.
Format FormatOr(const Arguments& arguments, Format otherwise);

// A key or value of the command line as bytes: text, or with --hex hexadecimal digits.
// InvalidArgument where these are none.
absl::StatusOr<std::string> Decode(const Arguments& arguments, const std::string& text);

// The bounds that --from, --to and --prefix ask for.
absl::StatusOr<ReadOptions> Range(const Arguments& arguments);

// A line on stderr every second, once the work takes over two, and only where a person sees it.
// Confined to one thread.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void At(uint64_t count);

 private:
  const std::string what_;
  const bool terminal_;
  const double started_;
  double next_;
  bool printed_ = false;
};

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_SESSION_H_
