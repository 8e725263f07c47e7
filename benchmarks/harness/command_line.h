// The command line: flags by absl::flags, but with our own words where one is not known.
#ifndef CAMBIUM_BENCHMARKS_HARNESS_COMMAND_LINE_H_
#define CAMBIUM_BENCHMARKS_HARNESS_COMMAND_LINE_H_

#include <string>
#include <utility>
#include <vector>

namespace cambium::bench {

// As it was given, for the report. Plain data.
struct CommandLine {
  std::string text;
  std::vector<std::pair<std::string, std::string>> flags;  // those that were set
};

// Sets the flags; afterwards absl::GetFlag answers. An unknown flag ends the process with status 2
// and names the nearest; one of db_bench's that means nothing here is named in a note on stdout.
CommandLine ParseCommandLine(int argc, char** argv);

// What the help says of those flags of db_bench, and by what they are known.
inline constexpr char kForeignFlagHelp[] = "db_bench's; accepted, and without meaning here";
// Makes them part of the program: a linker leaves out what nobody names.
void LinkForeignFlags();

// Ends the process with status 2 and `why` on stderr.
[[noreturn]] void RefuseCommandLine(const std::string& why);

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_HARNESS_COMMAND_LINE_H_
