// Walks over the keys of one prefix, in both directions.
#include <cambium/db.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace {

// The least key after all keys that begin with `prefix`, or nothing where there is none.
std::optional<std::string> PrefixEnd(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

absl::Status Fill(cambium::DB& db) {
  cambium::WriteBatch batch;
  batch.Put("animal/dog", "barks");
  batch.Put("city/berlin", "Spree");
  batch.Put("city/london", "Thames");
  batch.Put("city/vienna", "Danube");
  batch.Put("color/red", "#f00");
  return db.Write(batch);
}

absl::Status Run(const std::string& path) {
  absl::StatusOr<std::unique_ptr<cambium::DB>> db = cambium::DB::Open({}, path);
  if (!db.ok()) return db.status();
  if (absl::Status filled = Fill(**db); !filled.ok()) return filled;

  cambium::ReadOptions options;
  options.lower_bound = "city/";
  options.upper_bound = PrefixEnd("city/");
  const std::unique_ptr<cambium::Iterator> it = (*db)->NewIterator(options);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::cout << it->key() << " lies on the " << it->value() << "\n";
  }
  if (!it->status().ok()) return it->status();  // not Valid() says only that the walk is over
  for (it->SeekToLast(); it->Valid(); it->Prev()) std::cout << it->key() << "\n";
  return it->status();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status ran = Run(argc > 1 ? argv[1] : "cities.db");
  if (!ran.ok()) std::cerr << ran << "\n";
  return ran.ok() ? 0 : 1;
}
