#include "tests/stress/harness/resources.h"

#include <malloc.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"

namespace cambium::stress {
namespace {

// What caches of the libraries and of the process may take for good.
constexpr uint64_t kHeapSlack = uint64_t{32} << 20;

uint64_t EntriesIn(const char* directory) {
  std::error_code error;
  const std::filesystem::directory_iterator entries(directory, error);
  return static_cast<uint64_t>(std::distance(begin(entries), end(entries)));
}

std::string Growth(const Resources& before, const Resources& now) {
  if (now.descriptors > before.descriptors) {
    return absl::StrCat(now.descriptors, " descriptors are open, before the round ",
                        before.descriptors);
  }
  if (now.threads > before.threads) {
    return absl::StrCat(now.threads, " threads run, before the round ", before.threads);
  }
  if (now.heap_bytes > before.heap_bytes + kHeapSlack) {
    return absl::StrCat("the heap has ", now.heap_bytes, " bytes, before the first round ",
                        before.heap_bytes);
  }
  return "";
}

}  // namespace

Resources ResourcesNow() {
  Resources resources;
  resources.descriptors = EntriesIn("/proc/self/fd");
  resources.threads = EntriesIn("/proc/self/task");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const struct mallinfo2 heap = ::mallinfo2();
  resources.heap_bytes = heap.uordblks + heap.hblkhd;
#endif
  return resources;
}

std::string LastingGrowth(const Resources& before) {
  constexpr int kPolls = 300;
  std::string growth;
  for (int poll = 0; poll < kPolls; ++poll) {
    growth = Growth(before, ResourcesNow());
    if (growth.empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return growth;
}

std::string DeletedFilesHeld(const std::string& directory) {
  std::string held;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    const bool deleted = target.starts_with(directory) && target.ends_with(" (deleted)");
    if (!error && deleted) absl::StrAppend(&held, held.empty() ? "" : ", ", target);
  }
  return held;
}

}  // namespace cambium::stress
