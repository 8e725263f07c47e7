// The tool's commands: what each does once its arguments are known.
#ifndef CAMBIUM_TOOLS_CAMBIUM_COMMANDS_H_
#define CAMBIUM_TOOLS_CAMBIUM_COMMANDS_H_

#include <cstdint>
#include <string>

namespace cambium::tool {

// The arguments of all commands; each reads its own. Plain data. Of bounds and prefix, absent is
// not the same as empty, hence the counts that the parser fills in.
struct Arguments {
  std::string db;
  std::string key, value;
  std::string file = "-";
  std::string from, to, prefix;
  bool has_from = false, has_to = false, has_prefix = false;
  std::string format;  // empty: the command's own default
  uint64_t limit = UINT64_MAX;
  bool hex = false, reverse = false, keys_only = false, sync = false, json = false, yes = false;
};

// Each prints its outcome and returns the exit code.
int Get(const Arguments& arguments);
int Put(const Arguments& arguments);
int Delete(const Arguments& arguments);
int Scan(const Arguments& arguments);
int Count(const Arguments& arguments);
int Load(const Arguments& arguments);
int Dump(const Arguments& arguments);
int PrintStats(const Arguments& arguments);
int PrintLevels(const Arguments& arguments);
int Verify(const Arguments& arguments);
int Compact(const Arguments& arguments);
int Destroy(const Arguments& arguments);

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_COMMANDS_H_
