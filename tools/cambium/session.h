// Shared by the commands: opening a database for reading or writing, decoding keys, progress.
#ifndef CAMBIUM_TOOLS_CAMBIUM_SESSION_H_
#define CAMBIUM_TOOLS_CAMBIUM_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cambium/db.h"
#include "tools/cambium/commands.h"
#include "tools/cambium/formats.h"

namespace cambium::tool {

enum class Access {
  kLook,    // reads, and changes nothing on disk
  kChange,  // writes to a database that exists
  kMake,    // writes, and creates the database if it does not exist
};

// Opens the database, or prints the error, sets `*exit_code`, and returns null.
std::unique_ptr<DB> OpenOrFail(const Arguments& arguments, Access access, int* exit_code);

// An open database and the column family that --family names. Null if opening failed.
struct Session {
  std::unique_ptr<DB> db;
  std::shared_ptr<ColumnFamily> family;
};
// Does the same, and finds the column family.
Session OpenFamilyOrFail(const Arguments& arguments, Access access, int* exit_code);

// What OperatorByName accepts.
inline constexpr std::string_view kOperatorNames = "int64add, max, min or append:SEPARATOR";
// Returns the built-in merge operator that --merge-operator names, or null.
std::shared_ptr<const MergeOperator> OperatorByName(std::string_view name);

// Closes the database; prints the first error of `status` and the close, and returns the exit code.
int Finish(DB* db, const absl::Status& status);

// Returns the format that --format names, or `otherwise` without that flag.
Format FormatOr(const Arguments& arguments, Format otherwise);

// Returns the bytes of a key or value of the command line: text, or with --hex hexadecimal digits.
// Returns InvalidArgument if these are invalid.
absl::StatusOr<std::string> Decode(const Arguments& arguments, const std::string& text);

// Returns the bounds of --from, --to, and --prefix.
absl::StatusOr<ReadOptions> Range(const Arguments& arguments);

// Prints a line to stderr every second if the work takes over two seconds, and only to a terminal.
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
