// What the process holds between rounds.
#ifndef CAMBIUM_TESTS_STRESS_HARNESS_RESOURCES_H_
#define CAMBIUM_TESTS_STRESS_HARNESS_RESOURCES_H_

#include <cstdint>
#include <string>

namespace cambium::stress {

struct Resources {
  uint64_t descriptors = 0;
  uint64_t threads = 0;
  uint64_t heap_bytes = 0;  // 0 under a sanitizer, which has a heap and a leak check of its own
};

Resources ResourcesNow();

// Empty, or what has grown since `before` and stays so for seconds. (A thread that was joined is
// listed for another moment: the kernel wakes the joiner first.)
std::string LastingGrowth(const Resources& before);

// The descriptors of files below `directory` that were removed and are still open. Empty if none.
std::string DeletedFilesHeld(const std::string& directory);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_HARNESS_RESOURCES_H_
