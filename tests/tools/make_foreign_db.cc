// Makes a database in an order of keys that the tool does not know: make_foreign_db DIRECTORY.
#include <cstdio>
#include <memory>

#include "cambium/db.h"

namespace {

class Backwards final : public cambium::Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.Backwards"; }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const Backwards order;
  cambium::Options options;
  options.comparator = &order;
  absl::StatusOr<std::unique_ptr<cambium::DB>> db = cambium::DB::Open(options, argv[1]);
  if (!db.ok() || !(*db)->Put("k", "v").ok()) {
    std::fprintf(stderr, "%s\n", db.status().ToString().c_str());
    return 1;
  }
  return (*db)->Close().ok() ? 0 : 1;
}
