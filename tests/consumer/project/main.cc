// A program outside of the tree: what it needs of the library, and no more than the public headers
// say.
#include <cambium/db.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

// An interface of the library implemented outside of it, so that vtables and type information cross
// the border.
class Reversed final : public cambium::Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "consumer.Reversed"; }
  bool EqualMeansIdentical() const override { return true; }
};

absl::Status Run(const std::string& path) {
  const Reversed reversed;
  cambium::Options options;
  options.comparator = &reversed;
  absl::StatusOr<std::unique_ptr<cambium::DB>> db = cambium::DB::Open(options, path);
  if (!db.ok()) return db.status();
  cambium::WriteBatch batch;
  batch.Put("a", "1");
  batch.Put("b", "2");
  if (absl::Status written = (*db)->Write(batch, {.sync = true}); !written.ok()) return written;
  std::string keys;
  const std::unique_ptr<cambium::Iterator> it = (*db)->NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) keys += it->key();
  if (!it->status().ok()) return it->status();
  if (keys != "ba") return absl::InternalError("keys in the wrong order: " + keys);
  if (absl::IsNotFound((*db)->Get("c").status())) return absl::OkStatus();
  return absl::InternalError("found a key that is not there");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const absl::Status ran = Run(argv[1]);
  const std::string version(cambium::Version());
  std::printf("cambium %s: %s\n", version.c_str(), ran.ToString().c_str());
  return ran.ok() ? 0 : 1;
}
