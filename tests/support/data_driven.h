// Tests whose cases stand in text files: what is done, and what comes of it.
//
//   # A comment.
//   pick level0_trigger=1          a command, and arguments
//   add L0 file 3 keys "a".."b"    its input: all lines down to the separator, perhaps none
//   ----
//   nothing                        what it prints: all lines down to the next empty one
//
// The program is run with `--rewrite` to have the output in the files replaced by what the commands
// print now; then look at the difference before it is committed. An output with an empty line in it
// cannot be said.
#ifndef CAMBIUM_TESTS_SUPPORT_DATA_DRIVEN_H_
#define CAMBIUM_TESTS_SUPPORT_DATA_DRIVEN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace cambium::test {

// One command of a file. Plain data.
struct DataCommand {
  std::string where;  // "file:line"
  std::string name;
  std::map<std::string, std::string> arguments;
  std::string input;  // with a newline at the end of each line

  // The argument, or `otherwise`.
  std::string Text(const std::string& key, const std::string& otherwise) const;
  uint64_t Number(const std::string& key, uint64_t otherwise) const;
};

// Carries out a command and returns what it prints. Fails the test if the command is not known.
using DataRunner = std::function<std::string(const DataCommand&)>;

// Runs all commands of the file in order, and expects the output that stands there. A file that is
// not in that form fails the test, with its line.
void RunDataFile(const std::string& path, const DataRunner& run);

// The files of a folder, in the order of their names. Fails the test if there is none.
std::vector<std::string> DataFiles(const std::string& folder);

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_DATA_DRIVEN_H_
