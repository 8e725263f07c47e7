#include "tests/support/data_driven.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cambium::test {
namespace {

bool rewrite = false;

// The lines of a file, and the place among them. Thread-compatible.
class Lines {
 public:
  explicit Lines(const std::string& path) : path_(path) {
    std::ifstream file(path);
    EXPECT_TRUE(file.is_open()) << path;
    for (std::string line; std::getline(file, line);) lines_.push_back(std::move(line));
  }

  bool AtEnd() const { return next_ == lines_.size(); }
  const std::string& Peek() const { return lines_[next_]; }
  const std::string& Take() { return lines_[next_++]; }
  std::string where() const { return absl::StrCat(path_, ":", next_ + 1); }

 private:
  const std::string path_;
  std::vector<std::string> lines_;
  size_t next_ = 0;
};

constexpr char kSeparator[] = "----";

// Reads the command at `lines`, down to its separator. Returns false, with a failure, if there is
// none.
bool ReadCommand(Lines* lines, DataCommand* command) {
  command->where = lines->where();
  std::vector<std::string> words = absl::StrSplit(lines->Peek(), ' ', absl::SkipEmpty());
  command->name = words.front();
  for (size_t i = 1; i < words.size(); ++i) {
    const std::pair<std::string, std::string> argument =
        absl::StrSplit(words[i], absl::MaxSplits('=', 1));
    const bool fresh = command->arguments.insert(argument).second;
    EXPECT_TRUE(fresh) << command->where << ": " << argument.first << " is there twice";
  }
  lines->Take();
  while (!lines->AtEnd() && lines->Peek() != kSeparator) {
    if (lines->Peek().empty()) break;
    absl::StrAppend(&command->input, lines->Take(), "\n");
  }
  if (lines->AtEnd() || lines->Peek() != kSeparator) {
    ADD_FAILURE() << lines->where() << ": expected " << kSeparator << " after the command at "
                  << command->where;
    return false;
  }
  return true;
}

}  // namespace

std::string DataCommand::Text(const std::string& key, const std::string& otherwise) const {
  const auto found = arguments.find(key);
  return found == arguments.end() ? otherwise : found->second;
}

uint64_t DataCommand::Number(const std::string& key, uint64_t otherwise) const {
  uint64_t number = otherwise;
  const auto found = arguments.find(key);
  if (found == arguments.end()) return number;
  EXPECT_TRUE(absl::SimpleAtoi(found->second, &number))
      << where << ": " << key << " is " << found->second << ", expected a number";
  return number;
}

void RunDataFile(const std::string& path, const DataRunner& run) {
  Lines lines(path);
  size_t commands = 0;
  std::string text;  // the file with the output that there is now
  while (!lines.AtEnd()) {
    if (lines.Peek().empty() || lines.Peek().front() == '#') {
      absl::StrAppend(&text, lines.Take(), "\n");
      continue;
    }
    const std::string first = lines.Peek();
    DataCommand command;
    if (!ReadCommand(&lines, &command)) return;
    lines.Take();
    std::string expected;
    while (!lines.AtEnd() && !lines.Peek().empty()) {
      absl::StrAppend(&expected, lines.Take(), "\n");
    }
    std::string output = run(command);
    if (!output.empty() && output.back() != '\n') output.push_back('\n');
    EXPECT_EQ(output.find("\n\n"), std::string::npos) << command.where << ": an empty line";
    if (!rewrite) {
      EXPECT_EQ(output, expected) << command.where;
    }
    absl::StrAppend(&text, first, "\n", command.input, kSeparator, "\n", output);
    ++commands;
  }
  EXPECT_GT(commands, 0u) << path << ": no command";
  if (rewrite) std::ofstream(path) << text;
}

std::vector<std::string> DataFiles(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  EXPECT_FALSE(paths.empty()) << folder;
  return paths;
}

}  // namespace cambium::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--rewrite") {
      cambium::test::rewrite = true;
    } else {
      std::fprintf(stderr, "error: unknown argument %s\nusage: %s [--rewrite] [gtest flags]\n",
                   argv[i], argv[0]);
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
