// The resources that the process holds between rounds.
#ifndef CAMBIUM_TESTS_STRESS_HARNESS_RESOURCES_H_
#define CAMBIUM_TESTS_STRESS_HARNESS_RESOURCES_H_

#include <cstdint>
#include <string>

namespace cambium::stress {

struct Resources {
  uint64_t descriptors = 0;
  uint64_t threads = 0;
  uint64_t heap_bytes = 0;  // 0 under a sanitizer, which has its own heap and leak check
};

Resources ResourcesNow();

// Returns an empty string, or the resources that have grown since `before` and stay so for seconds.
// (A joined thread is listed for another moment: the kernel wakes the joiner first.)
std::string LastingGrowth(const Resources& before);

// Returns the descriptors of files below `directory` that were removed and are still open; empty if
// there are none.
std::string DeletedFilesHeld(const std::string& directory);

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_HARNESS_RESOURCES_H_
