// What the adapters of this folder share. Nothing here is between a caller and an engine's loop.
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

// "rocksdb put: IO error: …"
inline absl::Status Failure(std::string_view operation, std::string_view what,
                            absl::StatusCode code = absl::StatusCode::kUnknown) {
  std::string message(ThisEngine().name);
  message.append(" ").append(operation).append(": ").append(what);
  return absl::Status(code, ToAbsl(message));
}

// Whether nothing is asked for but a place: the engine then runs as it comes, with nothing that
// only who knows it would set.
inline bool AsItComes(const EngineSettings& settings) {
  return !(settings.memory_budget_bytes || settings.write_buffer_bytes || settings.cache_bytes ||
           settings.block_bytes || settings.file_bytes || settings.filter_bits_per_key ||
           settings.compression || settings.background_threads);
}

// For an engine without memtables: its one cache has the memory that an LSM-tree has for both, the
// memtable that is written and the one that is flushed.
inline std::optional<uint64_t> WholeMemoryBytes(const EngineSettings& settings) {
  if (!settings.cache_bytes) return settings.memory_budget_bytes;
  return *settings.cache_bytes + 2 * settings.write_buffer_bytes.value_or(0);
}

// For an engine that compresses nothing.
inline absl::Status RefuseCompression(const EngineSettings& settings) {
  if (settings.compression.value_or("none") == "none") return absl::OkStatus();
  return Failure("open", "it has no compression '" + *settings.compression + "'",
                 absl::StatusCode::kUnimplemented);
}

// Makes the directory if there is none. Every database of this engine has the file `marker`: if the
// database must exist and the file does not, NotFound.
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

// Removes those of the files that are there, and the directory if nothing else is in it.
inline absl::Status RemoveFiles(const std::string& path,
                                std::initializer_list<std::string_view> names) {
  std::error_code error;
  for (const std::string_view name : names) {
    const std::filesystem::path file = std::filesystem::path(path) / name;
    std::filesystem::remove(file, error);
    if (error) return Failure("destroy", file.string() + ": " + error.message());
  }
  std::filesystem::remove(path, error);  // stays where it holds something else
  return absl::OkStatus();
}

}  // namespace cambium::bench

#endif  // CAMBIUM_BENCHMARKS_ENGINES_ADAPTER_H_
