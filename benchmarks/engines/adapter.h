// Functions that the adapters share. None of them runs inside an engine's loop.
#ifndef CAMBIUM_BENCHMARKS_ENGINES_ADAPTER_H_
#define CAMBIUM_BENCHMARKS_ENGINES_ADAPTER_H_

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/status/status.h"
#include "benchmarks/engines/engine.h"
#include "util/absl_view.h"

namespace cambium::bench {

// Returns "rocksdb put: IO error: …".
inline absl::Status Failure(std::string_view operation, std::string_view what,
                            absl::StatusCode code = absl::StatusCode::kUnknown) {
  std::string message(ThisEngine().name);
  message.append(" ").append(operation).append(": ").append(what);
  return absl::Status(code, ToAbsl(message));
}

// Returns true if only the path is set: then the engine runs with its defaults, without expert
// settings.
inline bool AsItComes(const EngineSettings& settings) {
  return !(settings.memory_budget_bytes || settings.write_buffer_bytes || settings.cache_bytes ||
           settings.block_bytes || settings.file_bytes || settings.filter_bits_per_key ||
           settings.compression || settings.background_threads);
}

// For an engine without memtables: returns the memory of an LSM-tree's cache and its two memtables,
// the active one and the one being flushed, for the engine's one cache.
inline std::optional<uint64_t> WholeMemoryBytes(const EngineSettings& settings) {
  if (!settings.cache_bytes) return settings.memory_budget_bytes;
  return *settings.cache_bytes + 2 * settings.write_buffer_bytes.value_or(0);
}

// For an engine without compression.
inline absl::Status RefuseCompression(const EngineSettings& settings) {
  if (settings.compression.value_or("none") == "none") return absl::OkStatus();
  return Failure("open", "it has no compression '" + *settings.compression + "'",
                 absl::StatusCode::kUnimplemented);
}

// Creates the directory if it does not exist. Every database of this engine has the file `marker`:
// returns NotFound if the database must exist and the file does not.
inline absl::Status MakeDirectory(const EngineSettings& settings, std::string_view marker) {
  std::error_code error;
  if (settings.must_exist) {
    if (std::filesystem::exists(std::filesystem::path(settings.path) / marker, error)) {
      return absl::OkStatus();
    }
    return Failure("open", "there is no database at " + settings.path, absl::StatusCode::kNotFound);
  }
  std::filesystem::create_directories(settings.path, error);
  return error ? Failure("open", settings.path + ": " + error.message()) : absl::OkStatus();
}

// Removes the existing files of the list, and the directory if it is then empty.
inline absl::Status RemoveFiles(const std::string& path,
                                std::initializer_list<std::string_view> names) {
  std::error_code error;
  for (const std::string_view name : names) {
    const std::filesystem::path file = std::filesystem::path(path) / name;
    std::filesystem::remove(file, error);
    if (error) return Failure("destroy", file.string() + ": " + error.message());
  }
  std::filesystem::remove(path, error);  // stays if it is not empty
  return absl::OkStatus();
}

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_ENGINES_ADAPTER_H_
