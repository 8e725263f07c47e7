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
absl::Status CheckBounds(std::string_view owner, std::string_view name, T value, T lowest,
                         T highest) {
  if (value >= lowest && value <= highest) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(owner), "::", ToAbsl(name), " is ", value,
                                                 ", expected ", lowest, " to ", highest));
}

// Checks the options that a column family has, too.
template <typename AnyOptions>
absl::Status CheckTreeOptions(const AnyOptions& options, std::string_view owner) {
  if (options.merge_operator != nullptr && options.merge_operator->Name() == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(owner), "::merge_operator has no name"));
  }
  if (options.comparator == nullptr || options.comparator->Name() == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(owner), "::comparator is null or has no name"));
  }
  if (options.compression != Compression::kNone && options.compression != Compression::kZstd) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(owner), "::compression is ",
                                                   static_cast<int>(options.compression),
                                                   ", expected kNone or kZstd"));
  }
  RETURN_IF_ERROR(
      CheckBounds(owner, "compression_level", options.compression_level, kMinLevel, kMaxLevel));
  return CheckBounds(owner, "filter_bits_per_key", options.filter_bits_per_key, 0.0,
                     kMaxFilterBits);
}

}  // namespace

absl::Status ValidateFamilyOptions(const ColumnFamilyOptions& options, std::string_view owner) {
  RETURN_IF_ERROR(CheckTreeOptions(options, owner));
  if (options.default_ttl.count() >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(owner), "::default_ttl is ",
                                                 options.default_ttl.count(),
                                                 " milliseconds, expected 0 or more"));
}

absl::Status ValidateOptions(const Options& options) {
  RETURN_IF_ERROR(CheckTreeOptions(options, "Options"));
  for (const auto& [name, family] : options.families) {
    RETURN_IF_ERROR(ValidateFamilyOptions(family, absl::StrCat("Options::families[", name, "]")));
  }
  RETURN_IF_ERROR(
      CheckBounds<uint64_t>("Options", "memory_budget", options.memory_budget, 0, kMaxMemory));
  RETURN_IF_ERROR(
      CheckBounds<uint64_t>("Options", "memtable_size", options.memtable_size, 0, kMaxMemTable));
  RETURN_IF_ERROR(CheckBounds<uint64_t>("Options", "block_cache_size", options.block_cache_size, 0,
                                        kMaxMemory));
  RETURN_IF_ERROR(
      CheckBounds("Options", "background_threads", options.background_threads, 0, kMaxThreads));
  RETURN_IF_ERROR(
      CheckBounds("Options", "max_open_files", options.max_open_files, 0, kMaxOpenFiles));
  return CheckBounds("Options", "target_file_size", options.target_file_size, kMinTargetFile,
                     kMaxTargetFile);
}

}  // namespace cambium::engine
