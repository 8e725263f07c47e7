#include "tests/stress/environment.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "tests/stress/model/key_space.h"
#include "tests/stress/noise.h"

namespace cambium::stress {
namespace {

constexpr char kSharedMemory[] = "/dev/shm";

std::string MakeDirectory(Storage storage, const std::string& scratch) {
  std::error_code error;
  std::filesystem::path root = scratch;
  if (scratch.empty()) root = std::filesystem::temp_directory_path();
  const bool shared = storage == Storage::kSharedMemory && scratch.empty() &&
                      std::filesystem::is_directory(kSharedMemory, error);
  if (shared) root = kSharedMemory;
  std::filesystem::create_directories(root, error);
  std::string name = (root / "cambium-stress-XXXXXX").string();
  return ::mkdtemp(name.data()) != nullptr ? name : "";
}

}  // namespace

Environment::Environment(const RoundSettings& settings, const std::string& scratch)
    : settings_(settings) {
  if (settings.storage == Storage::kMemory) {
    memory_ = std::make_shared<env::MemFileSystem>();
    base_ = memory_;
    path_ = "db";
  } else {
    directory_ = MakeDirectory(settings.storage, scratch);
    base_ = DefaultFileSystem();
    path_ = directory_ + "/db";
  }
  faults_ = std::make_shared<env::FaultFileSystem>(base_);
}

Environment::~Environment() {
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

Options Environment::MakeOptions() const {
  Options options = settings_.options;
  options.comparator = ComparatorOf(settings_.order);
  options.clock = NoisyClock();
  options.executor = NoisyExecutor(options.background_threads);
  return options;
}

absl::StatusOr<std::unique_ptr<DB>> Environment::Open() const {
  Options options = MakeOptions();
  options.file_system = NoisyFileSystem(faults_, settings_.hide_mapping);
  return DB::Open(options, path_);
}

absl::StatusOr<std::unique_ptr<DB>> Environment::OpenClone(
    std::shared_ptr<env::MemFileSystem> clone) const {
  Options options = MakeOptions();
  options.file_system = std::move(clone);
  options.create_if_missing = false;
  return DB::Open(options, path_);
}

}  // namespace cambium::stress
