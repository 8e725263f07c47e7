// cambium: the command-line tool.
#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/db.h"
#include "tools/cambium/commands.h"
#include "tools/cambium/exit_code.h"
#include "tools/words/nearest.h"

namespace cambium::tool {
namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  std::string_view examples;
  // Options and operands, one letter each, in the order of help: k key, v value, f file, r range, F
  // format, h hex, s scan's own, y sync, j json, Y yes.
  std::string_view takes;
  int (*run)(const Arguments&);
};

constexpr std::array kCommands = {
    Command{"get", "print the value of a key",
            "cambium get db user:17\n  cambium get db 00ff --hex", "kh", Get},
    Command{"put", "set a key; makes the database where there is none",
            "cambium put db user:17 Ada\n  cambium put db 00ff 0a --hex", "kvh", Put},
    Command{"delete", "remove a key; fine where it is absent",
            "cambium delete db user:17\n  cambium delete db 00ff --hex", "kh", Delete},
    Command{"scan", "print keys and values in order",
            "cambium scan db --prefix user: --limit 10\n  cambium scan db --reverse --keys-only",
            "rsFh", Scan},
    Command{"count", "count keys", "cambium count db\n  cambium count db --from a --to b", "rh",
            Count},
    Command{"load", "read records into the database; makes it where there is none",
            "cambium load db words.tsv\n  mdb_dump other | cambium load db", "fFy", Load},
    Command{"dump", "write all records as text, for load, mdb_load or db_load",
            "cambium dump db all.dump\n  cambium dump db --format jsonl | gzip > all.gz", "fRF",
            Dump},
    Command{"stats", "print counters and sizes", "cambium stats db\n  cambium stats db --json", "j",
            PrintStats},
    Command{"levels", "print the levels of the tree",
            "cambium levels db\n  watch cambium levels db", "", PrintLevels},
    Command{"verify", "read every byte and check every checksum",
            "cambium verify db\n  cambium verify db && echo sound", "", Verify},
    Command{"compact", "merge everything into the last level",
            "cambium compact db\n  cambium compact db --from a --to b", "Rh", Compact},
    Command{"destroy", "remove a database's files, and no other file",
            "cambium destroy db --yes\n  cambium destroy /tmp/scratch --yes", "Y", Destroy},
};

void AddRange(CLI::App* app, Arguments* arguments) {
  app->add_option("--from", arguments->from, "first key")->each([arguments](const std::string&) {
    arguments->has_from = true;
  });
  app->add_option("--to", arguments->to, "key to stop before")
      ->each([arguments](const std::string&) { arguments->has_to = true; });
}

void AddParameter(char letter, CLI::App* app, Arguments* arguments) {
  switch (letter) {
    case 'k':
      app->add_option("KEY", arguments->key, "the key")->required();
      break;
    case 'v':
      app->add_option("VALUE", arguments->value, "the value")->required();
      break;
    case 'f':
      app->add_option("FILE", arguments->file, "file; absent or -: the standard stream");
      break;
    case 'r':
      AddRange(app, arguments);
      app->add_option("--prefix", arguments->prefix, "only keys that begin so")
          ->each([arguments](const std::string&) { arguments->has_prefix = true; });
      break;
    case 'R':
      AddRange(app, arguments);
      break;
    case 's':
      app->add_flag("--reverse", arguments->reverse, "last key first");
      app->add_option("--limit", arguments->limit, "records at most");
      app->add_flag("--keys-only", arguments->keys_only, "no values");
      break;
    case 'F':
      app->add_option("--format", arguments->format, "tsv, jsonl, bdb or bdb-print");
      break;
    case 'h':
      app->add_flag("--hex", arguments->hex, "keys and values are hexadecimal");
      break;
    case 'y':
      app->add_flag("--sync", arguments->sync, "sync after every batch, not only at the end");
      break;
    case 'j':
      app->add_flag("--json", arguments->json, "as JSON");
      break;
    default:
      app->add_flag("--yes", arguments->yes, "really");
  }
}

std::string NearestCommand(std::string_view word) {
  std::vector<std::string> names = {"help", "version"};
  for (const Command& command : kCommands) names.emplace_back(command.name);
  return words::Nearest(names, word);
}

bool IsCommand(std::string_view word) {
  if (word == "help" || word == "version") return true;
  for (const Command& command : kCommands) {
    if (command.name == word) return true;
  }
  return false;
}

int UnknownCommand(const std::string& word) {
  return Fail(kUsage, "there is no command '" + word + "'",
              "did you mean '" + NearestCommand(word) + "'?");
}

// Parses the command line; `cambium help COMMAND` is `cambium COMMAND --help`.
void Parse(CLI::App* app, int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "help") {
    app->parse(std::string(argv[2]) + " --help", false);
  } else {
    app->parse(argc, argv);
  }
}

int Main(int argc, char** argv) {
  // A reader that goes away shows as an error of write, which ends a dump quietly.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("cambium: looks into, fills and checks a Cambium database", "cambium");
  app.require_subcommand(1);
  Arguments arguments;
  const Command* chosen = nullptr;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.summary));
    sub->add_option("DB", arguments.db, "directory of the database")->required();
    for (const char letter : command.takes) AddParameter(letter, sub, &arguments);
    sub->footer("\nExamples:\n  " + std::string(command.examples));
    sub->callback([&chosen, &command] { chosen = &command; });
  }
  CLI::App* version = app.add_subcommand("version", "print the version");
  CLI::App* help = app.add_subcommand("help", "print help, of one command where named");

  for (int i = 1; i < argc && i < 3; ++i) {
    if (i == 2 && std::string_view(argv[1]) != "help") break;
    if (argv[i][0] != '-' && !IsCommand(argv[i])) return UnknownCommand(argv[i]);
  }
  try {
    Parse(&app, argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::printf("%s", app.help().c_str());
    return kOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kUsage, error.what(), "cambium help says what is expected");
  }
  if (version->parsed()) {
    std::printf("cambium %s\n", std::string(Version()).c_str());
    return kOk;
  }
  if (help->parsed()) {
    app.clear();
    std::printf("%s", app.help().c_str());
    return kOk;
  }
  return chosen->run(arguments);
}

}  // namespace
}  // namespace cambium::tool

int main(int argc, char** argv) { return cambium::tool::Main(argc, argv); }
