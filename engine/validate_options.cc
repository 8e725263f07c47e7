#include "engine/validate_options.h"

#include <cstdint>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "util/absl_view.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// More than any machine has; sums of such sizes do not overflow. A larger value is an error of the
// caller's arithmetic, such as a negative number in an unsigned type.
constexpr uint64_t kMaxMemory = uint64_t{1} << 46;
constexpr uint64_t kMaxMemTable = uint64_t{1} << 36;
constexpr uint64_t kMaxTargetFile = uint64_t{1} << 40;
constexpr uint64_t kMinTargetFile = uint64_t{4} << 10;
constexpr int kMaxThreads = 1024;
constexpr int kMaxOpenFiles = 1 << 30;
// The limits of zstd.
constexpr int kMinLevel = -(1 << 17), kMaxLevel = 22;
// A filter with a false positive rate of 1e-7 has 34.
constexpr double kMaxFilterBits = 64;

// NaN is out of all bounds.
template <typename T>
absl::Status CheckBounds(std::string_view name, T value, T lowest, T highest) {
  if (value >= lowest && value <= highest) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Options::", ToAbsl(name), " is ", value,
                                                 ", expected ", lowest, " to ", highest));
}

}  // namespace

absl::Status ValidateOptions(const Options& options) {
  if (options.merge_operator != nullptr && options.merge_operator->Name() == nullptr) {
    return absl::InvalidArgumentError("Options::merge_operator has no name");
  }
  if (options.comparator == nullptr || options.comparator->Name() == nullptr) {
    return absl::InvalidArgumentError("Options::comparator is null or has no name");
  }
  RETURN_IF_ERROR(CheckBounds<uint64_t>("memory_budget", options.memory_budget, 0, kMaxMemory));
  RETURN_IF_ERROR(CheckBounds<uint64_t>("memtable_size", options.memtable_size, 0, kMaxMemTable));
  RETURN_IF_ERROR(
      CheckBounds<uint64_t>("block_cache_size", options.block_cache_size, 0, kMaxMemory));
  RETURN_IF_ERROR(CheckBounds("background_threads", options.background_threads, 0, kMaxThreads));
  RETURN_IF_ERROR(CheckBounds("max_open_files", options.max_open_files, 0, kMaxOpenFiles));
  if (options.compression != Compression::kNone && options.compression != Compression::kZstd) {
    return absl::InvalidArgumentError(absl::StrCat("Options::compression is ",
                                                   static_cast<int>(options.compression),
                                                   ", expected kNone or kZstd"));
  }
  RETURN_IF_ERROR(
      CheckBounds("compression_level", options.compression_level, kMinLevel, kMaxLevel));
  RETURN_IF_ERROR(
      CheckBounds("filter_bits_per_key", options.filter_bits_per_key, 0.0, kMaxFilterBits));
  return CheckBounds("target_file_size", options.target_file_size, kMinTargetFile, kMaxTargetFile);
}

}  // namespace cambium::engine
