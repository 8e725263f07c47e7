// cambium: the command-line tool.
#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/status/statusor.h"
#include "cambium/db.h"
#include "tools/cambium/commands.h"
#include "tools/cambium/exit_code.h"
#include "tools/cambium/formats.h"
#include "tools/cambium/session.h"
#include "tools/cambium/streams.h"
#include "tools/cambium/text.h"
#include "tools/process/standard_streams.h"
#include "tools/words/nearest.h"

namespace cambium::tool {
namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  std::string_view examples;
  // Options and operands, one letter each, in the order of help: k key, v value, f file, r range, F
  // format, d database, h hex, s scan's own, y sync, j json, Y yes, c column family, n name, N new
  // name, b begin and end, o operand, m merge operator, t TTL.
  std::string_view takes;
  int (*run)(const Arguments&, Output*);
};

constexpr std::array kCommands = {
    Command{"get", "print the value of a key",
            "cambium get db user:17\n  cambium get db 00ff --hex", "khc", Get},
    Command{"put", "set a key; makes the database where there is none",
            "cambium put db user:17 Ada\n  cambium put db session:4 Ada --ttl 30m", "kvhtc", Put},
    Command{"ttl", "print the milliseconds until the value of a key expires, or none",
            "cambium ttl db session:4\n  cambium ttl db 00ff --hex", "khc", PrintTtl},
    Command{"delete", "remove a key; fine where it is absent",
            "cambium delete db user:17\n  cambium delete db 00ff --hex", "khc", Delete},
    Command{"delete-range", "remove the keys from BEGIN up to END, without END",
            "cambium delete-range db user:17 user:20\n  cambium delete-range db user:17 --to-end",
            "bhc", DeleteRange},
    Command{"merge", "combine an operand with the value of a key by the merge operator",
            "cambium merge db seen:17 apple --merge-operator append:,\n"
            "  cambium merge db visits 0100000000000000 --hex --merge-operator int64add",
            "kohmc", Merge},
    Command{"scan", "print keys and values in order",
            "cambium scan db --prefix user: --limit 10\n  cambium scan db --reverse --keys-only",
            "rsFhc", Scan},
    Command{"count", "count keys", "cambium count db\n  cambium count db --from a --to b", "rhc",
            Count},
    Command{"load", "read records into the database; makes it where there is none",
            "cambium load db words.tsv\n  mdb_dump -a other | cambium load db --database people",
            "fFdyc", Load},
    Command{"dump", "write all records as text, for load, mdb_load or db_load",
            "cambium dump db all.dump\n  cambium dump db --format mdb | mdb_load other", "fRFc",
            Dump},
    Command{"stats", "print counters and sizes", "cambium stats db\n  cambium stats db --json", "j",
            PrintStats},
    Command{"levels", "print the levels of the tree",
            "cambium levels db\n  watch cambium levels db", "", PrintLevels},
    Command{"verify", "read every byte and check every checksum",
            "cambium verify db\n  cambium verify db && echo sound", "", Verify},
    Command{"compact", "merge everything into the last level",
            "cambium compact db\n  cambium compact db --from a --to b", "Rhc", Compact},
    Command{"destroy", "remove a database's files, and no other file",
            "cambium destroy db --yes\n  cambium destroy /tmp/scratch --yes", "Y", Destroy},
};

constexpr std::array kFamilyCommands = {
    Command{"list", "print the names of the column families",
            "cambium family list db\n  cambium family list db | wc -l", "", ListFamilies},
    Command{"create", "create a column family; makes the database where there is none",
            "cambium family create db users\n"
            "  cambium family create db counters --merge-operator int64add",
            "nm", CreateFamily},
    Command{"drop", "remove a column family and its data",
            "cambium family drop db users --yes\n  cambium family drop db 'old users' --yes", "nY",
            DropFamily},
    Command{"rename", "change the name of a column family",
            "cambium family rename db users people\n  cambium family list db", "nN", RenameFamily},
};

void AddRange(CLI::App* app, Arguments* arguments) {
  app->add_option("--from", arguments->from, "first key")->each([arguments](const std::string&) {
    arguments->has_from = true;
  });
  app->add_option("--to", arguments->to, "key to stop before")
      ->each([arguments](const std::string&) { arguments->has_to = true; });
}

// A check of an option: an empty path is probably an unset variable.
std::string NotEmpty(const std::string& path) {
  return path.empty() ? "expected a path, found nothing" : "";
}

// Adds an option whose value is a count: decimal digits only.
void AddCount(CLI::App* app, const std::string& name, const std::string& what, uint64_t* count) {
  const auto parse = [name, count](const std::string& text) {
    const char* const end = text.data() + text.size();
    const std::from_chars_result parsed = std::from_chars(text.data(), end, *count);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      throw CLI::ValidationError(name, "'" + text + "': expected a number of 0 or more");
    }
  };
  app->add_option_function<std::string>(name, parse, what);
}

void AddTtl(CLI::App* app, Arguments* arguments) {
  const auto parse = [arguments](const std::string& text) {
    arguments->ttl = ParseDuration(text);
    if (arguments->ttl.has_value()) return;
    throw CLI::ValidationError("--ttl", "'" + text + "': expected a number and ms, s, m, h or d");
  };
  app->add_option_function<std::string>("--ttl", parse,
                                        "how long the value lives: a number and ms, s, m, h or d");
}

void AddBeginAndEnd(CLI::App* app, Arguments* arguments) {
  app->add_option("BEGIN", arguments->key, "first key")->required();
  app->add_option("END", arguments->end, "key to stop before")
      ->each([arguments](const std::string&) { arguments->has_end = true; });
  app->add_flag("--to-end", arguments->to_end, "instead of END: to the end of the family");
}

// Returns an error text, or nothing if `text` names a built-in operator.
std::string CheckOperatorName(const std::string& text) {
  return OperatorByName(text) != nullptr
             ? std::string()
             : "'" + text + "': expected " + std::string(kOperatorNames);
}

// Returns an error text, or nothing if `text` names a format.
std::string CheckFormatName(const std::string& text) {
  return FormatByName(text).has_value() ? std::string()
                                        : "'" + text + "': expected " + std::string(kFormatNames);
}

void AddParameter(char letter, CLI::App* app, Arguments* arguments) {
  switch (letter) {
    case 'k':
      app->add_option("KEY", arguments->key, "the key")->required();
      break;
    case 'b':
      AddBeginAndEnd(app, arguments);
      break;
    case 'v':
      app->add_option("VALUE", arguments->value, "the value")->required();
      break;
    case 'f':
      app->add_option("FILE", arguments->file, "file; absent or -: the standard stream")
          ->check(NotEmpty);
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
      AddCount(app, "--limit", "records at most", &arguments->limit);
      app->add_flag("--keys-only", arguments->keys_only, "no values");
      break;
    case 'F':
      app->add_option("--format", arguments->format, std::string(kFormatNames))
          ->check(CheckFormatName);
      break;
    case 'd':
      app->add_option("--database", arguments->database, "the section to load, of several");
      break;
    case 'h':
      app->add_flag("--hex", arguments->hex, "keys and values are hexadecimal");
      break;
    case 'y':
      app->add_flag("--sync", arguments->sync, "sync after every batch, not only at the end");
      break;
    case 'c':
      app->add_option("--family", arguments->family, "column family; absent: default");
      break;
    case 'n':
      app->add_option("NAME", arguments->name, "name of the column family")->required();
      break;
    case 'N':
      app->add_option("NEW_NAME", arguments->new_name, "its new name")->required();
      break;
    case 't':
      AddTtl(app, arguments);
      break;
    case 'o':
      app->add_option("OPERAND", arguments->operand, "what to combine")->required();
      break;
    case 'm':
      app->add_option("--merge-operator", arguments->merge_operator, std::string(kOperatorNames))
          ->check(CheckOperatorName);
      break;
    case 'j':
      app->add_flag("--json", arguments->json, "as JSON");
      break;
    default:
      app->add_flag("--yes", arguments->yes, "really");
  }
}

std::string NearestCommand(std::string_view word) {
  std::vector<std::string> names = {"family", "help", "version"};
  for (const Command& command : kCommands) names.emplace_back(command.name);
  return words::Nearest(names, word);
}

bool IsCommand(std::string_view word) {
  if (word == "family" || word == "help" || word == "version") return true;
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
  if (argc >= 3 && std::string_view(argv[1]) == "help") {
    std::string line;
    for (int i = 2; i < argc; ++i) line += std::string(argv[i]) + " ";
    app->parse(line + "--help", false);
  } else {
    app->parse(argc, argv);
  }
}

// Adds `commands` to `parent`. Parsing sets *chosen.
void AddCommands(CLI::App* parent, std::span<const Command> commands, Arguments* arguments,
                 const Command** chosen) {
  for (const Command& command : commands) {
    CLI::App* sub = parent->add_subcommand(std::string(command.name), std::string(command.summary));
    sub->add_option("DB", arguments->db, "directory of the database")->required()->check(NotEmpty);
    for (const char letter : command.takes) AddParameter(letter, sub, arguments);
    sub->footer("\nExamples:\n  " + std::string(command.examples));
    sub->callback([chosen, &command] { *chosen = &command; });
  }
}

int Run(int argc, char** argv, Output* out) {
  CLI::App app("cambium: looks into, fills and checks a Cambium database", "cambium");
  app.require_subcommand(1);
  Arguments arguments;
  const Command* chosen = nullptr;
  AddCommands(&app, kCommands, &arguments, &chosen);
  CLI::App* family = app.add_subcommand("family", "list, create, drop and rename column families");
  family->require_subcommand(1);
  AddCommands(family, kFamilyCommands, &arguments, &chosen);
  CLI::App* version = app.add_subcommand("version", "print the version");
  CLI::App* help = app.add_subcommand("help", "print help, of one command where named");

  for (int i = 1; i < argc && i < 3; ++i) {
    if (i == 2 && std::string_view(argv[1]) != "help") break;
    if (argv[i][0] != '-' && !IsCommand(argv[i])) return UnknownCommand(argv[i]);
  }
  const std::string version_line = "cambium " + std::string(Version()) + "\n";
  app.set_version_flag("--version", version_line);
  try {
    Parse(&app, argc, argv);
  } catch (const CLI::CallForVersion&) {
    out->Write(version_line);
    return kOk;
  } catch (const CLI::CallForHelp&) {
    out->Write(app.help());
    return kOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kUsage, error.what(), "cambium help says what is expected");
  }
  if (version->parsed()) {
    out->Write(version_line);
    return kOk;
  }
  if (help->parsed()) {
    app.clear();
    out->Write(app.help());
    return kOk;
  }
  return chosen->run(arguments, out);
}

int Main(int argc, char** argv) {
  process::ReserveStandardStreams();
  // A closed pipe causes a write error, which ends a dump without a message.
  std::signal(SIGPIPE, SIG_IGN);
  // A write beyond the file size limit also causes an error.
  std::signal(SIGXFSZ, SIG_IGN);
  absl::StatusOr<std::unique_ptr<Output>> out = Output::Open("-");
  if (!out.ok()) return Fail(out.status());
  int exit_code = kOk;
  try {
    exit_code = Run(argc, argv, out->get());
  } catch (const std::bad_alloc&) {
    exit_code = Fail(kNoSpace, "out of memory");
  }
  // The only place that flushes standard output: no command succeeds if its output is lost.
  const absl::Status written = (*out)->Close();
  return exit_code == kOk && !written.ok() ? Fail(written) : exit_code;
}

}  // namespace
}  // namespace cambium::tool

int main(int argc, char** argv) { return cambium::tool::Main(argc, argv); }
