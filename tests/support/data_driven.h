// Data-driven tests: text files with commands and their expected output.
//
//   # A comment.
//   pick level0_trigger=1          a command, and arguments
//   add L0 file 3 keys "a".."b"    its input: all lines up to the separator, possibly none
//   ----
//   nothing                        its output: all lines up to the next empty one
//
// Run the program with `--rewrite` to replace the output in the files with the current output of
// the commands, and check the difference before you commit it. An output cannot contain an empty
// line.
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

  // Returns the argument, or `otherwise`.
  std::string Text(const std::string& key, const std::string& otherwise) const;
  uint64_t Number(const std::string& key, uint64_t otherwise) const;
};

// Runs a command and returns its output. Fails the test if the command is unknown.
using DataRunner = std::function<std::string(const DataCommand&)>;

// Runs all commands of the file in order, and expects the output in the file. If the file's format
// is invalid, the test fails with the line.
void RunDataFile(const std::string& path, const DataRunner& run);

// Returns the files of a folder, sorted by name. Fails the test if there is none.
std::vector<std::string> DataFiles(const std::string& folder);

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_SUPPORT_DATA_DRIVEN_H_
