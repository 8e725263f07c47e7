#include "engine/context.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "env/clock.h"
#include "env/thread_pool.h"

namespace cambium::engine {
namespace {

constexpr int kMaxBackgroundThreads = 8;
constexpr uint64_t kMinTargetFile = uint64_t{64} << 10;

int ChosenThreads() {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores, 2, kMaxBackgroundThreads);
}

Options Resolve(Options options) {
  if (const auto given = options.families.find("default"); given != options.families.end()) {
    options.comparator = given->second.comparator;
    options.merge_operator = given->second.merge_operator;
    options.compression = given->second.compression;
    options.compression_level = given->second.compression_level;
    options.filter_bits_per_key = given->second.filter_bits_per_key;
  }
  options.memory_budget = std::max(options.memory_budget, kMinMemoryBudget);
  if (options.background_threads <= 0) options.background_threads = ChosenThreads();
  if (options.file_system == nullptr) options.file_system = DefaultFileSystem();
  if (options.clock == nullptr) options.clock = env::DefaultClock();
  if (options.executor == nullptr) {
    options.executor = std::make_shared<env::ThreadPool>(options.background_threads);
  }
  if (options.max_open_files == 0) options.max_open_files = env::ChooseMaxOpenFiles();
  options.target_file_size = std::max(options.target_file_size, kMinTargetFile);
  return options;
}

}  // namespace

Context::Context(const Options& user_options, std::string directory)
    : options(Resolve(user_options)),
      storage(options, std::move(directory)),
      memory(options, &epochs),
      snapshots(std::make_shared<SnapshotList>()) {}

}  // namespace cambium::engine
