// Counts words without reading: each occurrence adds 1 to the word's counter by a merge, and the
// database finds the merge operator again when it is opened the next time.
#include <cambium/db.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

namespace {

// Counters have 8 bytes, the least significant one first.
std::string Encode(uint64_t number) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(number >> shift));
  return bytes;
}

uint64_t Decode(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    number = number << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return number;
}

absl::Status Count(const std::string& path) {
  absl::StatusOr<std::unique_ptr<cambium::DB>> db = cambium::DB::Open({}, path);
  if (!db.ok()) return db.status();
  cambium::ColumnFamilyOptions options;
  options.merge_operator = cambium::Int64AddOperator();
  const auto words = (*db)->CreateColumnFamily("words", options);
  if (!words.ok()) return words.status();
  for (const char* word : {"to", "be", "or", "not", "to", "be"}) {
    if (absl::Status merged = (*db)->Merge(**words, word, Encode(1)); !merged.ok()) return merged;
  }
  return (*db)->Close();
}

absl::Status Print(const std::string& path) {
  absl::StatusOr<std::unique_ptr<cambium::DB>> db = cambium::DB::Open({}, path);
  if (!db.ok()) return db.status();
  const auto words = (*db)->GetColumnFamily("words");
  if (!words.ok()) return words.status();
  const std::unique_ptr<cambium::Iterator> it = (*db)->NewIterator(**words);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::cout << it->key() << ": " << Decode(it->value()) << "\n";
  }
  return it->status();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "counters.db";
  absl::Status ran = Count(path);
  if (ran.ok()) ran = Print(path);
  if (!ran.ok()) std::cerr << ran << "\n";
  return ran.ok() ? 0 : 1;
}
