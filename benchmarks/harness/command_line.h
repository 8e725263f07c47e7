// Parses the command line with absl::flags, and handles unknown flags itself.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_COMMAND_LINE_H_
#define CAMBIUM_BENCHMARKS_HARNESS_COMMAND_LINE_H_

#include <string>
#include <utility>
#include <vector>

namespace cambium::bench {

// The command line as given, for the report. Plain data.
struct CommandLine {
  std::string text;
  std::vector<std::pair<std::string, std::string>> flags;  // those that were set
};

// Sets the flags; use absl::GetFlag afterwards. For an unknown flag, ends the process with status 2
// and suggests the closest one; prints a note to stdout for a flag of db_bench without a meaning
// here.
CommandLine ParseCommandLine(int argc, char** argv);

// The help text of these flags of db_bench, which also identifies them.
inline constexpr char kForeignFlagHelp[] = "db_bench's; accepted, and without meaning here";
// Links the flags into the program: the linker omits objects without references.
void LinkForeignFlags();

// Ends the process with status 2 and prints `why` to stderr.
[[noreturn]] void RefuseCommandLine(const std::string& why);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_COMMAND_LINE_H_
