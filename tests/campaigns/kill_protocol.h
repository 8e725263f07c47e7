// The protocol between the killed writer and the test that kills it.
#ifndef CAMBIUM_TESTS_CAMPAIGNS_KILL_PROTOCOL_H_
#define CAMBIUM_TESTS_CAMPAIGNS_KILL_PROTOCOL_H_

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "cambium/options.h"

namespace cambium::test {

inline constexpr int kWriters = 2;

// Writer `writer` received acknowledgments for its keys below `count`. Written to the pipe as a
// whole.
struct Ack {
  uint64_t writer = 0;
  uint64_t count = 0;
};

inline std::string WriterPrefix(int writer) { return absl::StrCat("t", writer, "/"); }
// Keys sort in the order of their numbers.
inline std::string WriterKey(int writer, uint64_t n) {
  return absl::StrCat(WriterPrefix(writer), absl::Hex(n, absl::kZeroPad16));
}
inline uint64_t KeyNumber(std::string_view key) {
  return std::strtoull(std::string(key.substr(key.find('/') + 1)).c_str(), nullptr, 16);
}
inline std::string WriterValue(int writer, uint64_t n) {
  std::string value = absl::StrCat(writer, ":", n, ":");
  value.append(20 + n * 37 % 400, static_cast<char>('a' + n % 26));
  return value;
}

// Small memtables and files, so that flushes and compactions are always running.
inline Options KillOptions() {
  Options options;
  options.memory_budget = size_t{1} << 20;
  options.memtable_size = size_t{64} << 10;
  options.target_file_size = uint64_t{128} << 10;
  return options;
}

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_CAMPAIGNS_KILL_PROTOCOL_H_
