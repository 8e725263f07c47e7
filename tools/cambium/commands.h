// The tool's commands: each runs with parsed arguments.
#ifndef CAMBIUM_TOOLS_CAMBIUM_COMMANDS_H_
#define CAMBIUM_TOOLS_CAMBIUM_COMMANDS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace cambium::tool {

class Output;

// The arguments of all commands; each reads its own. Plain data. An absent bound or prefix is not
// the same as an empty one; therefore the parser also sets the counts.
struct Arguments {
  std::string db;
  std::string key, value;
  std::string end;                 // delete-range: the key to stop before; `key` is its begin
  std::string operand;             // merge
  std::string name, new_name;      // family: of a column family
  std::string merge_operator;      // empty: the stored one, or none
  std::string family = "default";  // the column family to use
  std::string file = "-";
  std::string from, to, prefix;
  bool has_from = false, has_to = false, has_prefix = false, has_end = false;
  std::string format;                   // empty: the command's default
  std::optional<std::string> database;  // load: the section of the input
  uint64_t limit = UINT64_MAX;
  std::optional<std::chrono::milliseconds> ttl;  // put
  bool hex = false, reverse = false, keys_only = false, sync = false, json = false, yes = false;
  bool to_end = false;
};

// Each prints its result to `out`, which is standard output and which main flushes and checks, and
// returns the exit code.
int Get(const Arguments& arguments, Output* out);
int Put(const Arguments& arguments, Output* out);
int PrintTtl(const Arguments& arguments, Output* out);
int Delete(const Arguments& arguments, Output* out);
int DeleteRange(const Arguments& arguments, Output* out);
int Merge(const Arguments& arguments, Output* out);
int Scan(const Arguments& arguments, Output* out);
int Count(const Arguments& arguments, Output* out);
int Load(const Arguments& arguments, Output* out);
int Dump(const Arguments& arguments, Output* out);
int PrintStats(const Arguments& arguments, Output* out);
int PrintLevels(const Arguments& arguments, Output* out);
int Verify(const Arguments& arguments, Output* out);
int Compact(const Arguments& arguments, Output* out);
int Destroy(const Arguments& arguments, Output* out);
int ListFamilies(const Arguments& arguments, Output* out);
int CreateFamily(const Arguments& arguments, Output* out);
int DropFamily(const Arguments& arguments, Output* out);
int RenameFamily(const Arguments& arguments, Output* out);

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_COMMANDS_H_
