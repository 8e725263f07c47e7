#include "benchmarks/harness/command_line.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "benchmarks/engines/engine.h"
#include "tools/process/standard_streams.h"
#include "tools/words/nearest.h"

namespace cambium::bench {
namespace {

// Returns the name of the flag that `argument` sets, or nothing if it is not a flag ("-1" is a
// number).
std::string_view FlagName(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-') return {};
  argument.remove_prefix(argument[1] == '-' ? 2 : 1);
  if (argument.empty() || std::isalpha(static_cast<unsigned char>(argument[0])) == 0) return {};
  return argument.substr(0, argument.find('='));
}

absl::CommandLineFlag* FindFlag(std::string_view name) {
  const absl::string_view whole(name.data(), name.size());
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(whole);
  if (flag != nullptr || name.substr(0, 2) != "no") return flag;
  return absl::FindCommandLineFlag(whole.substr(2));
}

[[noreturn]] void RefuseFlag(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& [known, flag] : absl::GetAllFlags()) names.emplace_back(known);
  std::fprintf(stderr, "error: there is no flag --%s\nhint: did you mean --%s?\n",
               std::string(name).c_str(), words::Nearest(names, name).c_str());
  std::exit(2);
}

// Prints the flags that all engines share; db_bench's other flags are in its own help.
[[noreturn]] void PrintHelp(const EngineKind& engine) {
  const std::string name(engine.name);
  std::printf(
      "Measures %s; flags and output lines are those of RocksDB's db_bench.\n\n"
      "usage: %s_bench [--flag=value]...\n"
      "  e.g. %s_bench --benchmarks=fillrandom,readrandom --num=1000000\n\n",
      name.c_str(), name.c_str(), name.c_str());
  std::map<std::string, const absl::CommandLineFlag*> sorted;
  for (const auto& [known, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), "harness/settings.cc")) sorted[std::string(known)] = flag;
  }
  for (const auto& [known, flag] : sorted) {
    const std::string value = flag->DefaultValue();
    std::printf("  --%s\n      %s%s%s%s\n", known.c_str(), flag->Help().c_str(),
                value.empty() ? "" : " [", value.c_str(), value.empty() ? "" : "]");
  }
  std::exit(process::FlushStandardOutput() == 0 ? 0 : 1);
}

[[noreturn]] void PrintVersion(const EngineKind& engine) {
  std::printf("%s_bench: %s %s\n", std::string(engine.name).c_str(),
              std::string(engine.name).c_str(), engine.version.c_str());
  std::exit(process::FlushStandardOutput() == 0 ? 0 : 1);
}

bool Contains(const std::vector<std::string_view>& names, std::string_view name) {
  for (const std::string_view one : names) {
    if (one == name) return true;
  }
  return false;
}

}  // namespace

void RefuseCommandLine(const std::string& why) {
  std::fprintf(stderr, "error: %s\n", why.c_str());
  std::exit(2);
}

CommandLine ParseCommandLine(int argc, char** argv) {
  const EngineKind engine = ThisEngine();
  LinkForeignFlags();
  CommandLine command;
  command.text = absl::StrJoin(argv, argv + argc, " ");
  std::vector<absl::CommandLineFlag*> set;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = FlagName(argv[i]);
    if (name.empty()) continue;
    if (name == "help") PrintHelp(engine);
    if (name == "version") PrintVersion(engine);
    set.push_back(FindFlag(name));
    if (set.back() == nullptr) RefuseFlag(name);
  }
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) RefuseCommandLine(absl::StrCat("'", rest[1], "' is no flag"));
  for (const absl::CommandLineFlag* flag : set) {
    const std::string name(flag->Name());
    command.flags.emplace_back(name, flag->CurrentValue());
    if (flag->Help() == kForeignFlagHelp || Contains(engine.without, name)) {
      std::printf("note: --%s means nothing to %s\n", name.c_str(),
                  std::string(engine.name).c_str());
    }
  }
  return command;
}

}  // namespace cambium::bench
