#include "tests/stress/harness/report.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cambium::stress {
namespace {

constexpr std::array<const char*, kCounts> kNames = {
    "operations", "refused", "flushes",      "compactions", "faults",
    "resumes",    "opens",   "crash-clones", "re-reads",    "prefixes"};

}  // namespace

Reporter::Reporter(std::string program) : program_(std::move(program)) {}

void Reporter::SetRepeatLine(std::string arguments, std::string settings) {
  MutexLock lock(&mu_);
  repeat_line_ = absl::StrCat(program_, " ", arguments);
  settings_ = std::move(settings);
}

std::string Reporter::RepeatLine() const {
  MutexLock lock(&mu_);
  return absl::StrCat("repeat: ", repeat_line_, "\nround: ", settings_);
}

void Reporter::Fail(const std::string& message) {
  const std::string repeat = RepeatLine();
  std::printf("FAILURE: %s\n%s\n", message.c_str(), repeat.c_str());
  std::fflush(stdout);
  failed_.store(true, std::memory_order_relaxed);
}

std::string Reporter::CountsLine() const {
  std::string text;
  for (size_t i = 0; i < kCounts; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : " ", kNames[i], "=", Get(static_cast<Count>(i)));
  }
  return text;
}

}  // namespace cambium::stress
