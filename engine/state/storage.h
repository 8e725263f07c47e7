// Storage: the directory of one database, its file numbers, and the executor, clock, and reaper
// that work on its files.
#ifndef CAMBIUM_ENGINE_STATE_STORAGE_H_
#define CAMBIUM_ENGINE_STATE_STORAGE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/expiry.h"
#include "base/keys.h"
#include "cambium/options.h"
#include "engine/state/file_reaper.h"
#include "env/pooled_file_system.h"

namespace cambium::engine {

// Thread-safe: members are constant after construction or thread-safe themselves. The objects that
// `options` points to must outlive it.
struct Storage {
  // Every value in `options` must be chosen.
  Storage(const Options& options, std::string directory)
      : path(std::move(directory)),
        files(std::make_unique<env::PooledFileSystem>(options.file_system.get(),
                                                      static_cast<size_t>(options.max_open_files))),
        clock(options.clock.get()),
        executor(options.executor.get()),
        wall(options.clock.get()),
        reaper(files.get(), executor, path) {}

  const std::string path;
  const std::unique_ptr<env::PooledFileSystem> files;  // wraps options.file_system
  Clock* const clock;
  Executor* const executor;
  WallTime wall;  // of expiries
  FileReaper reaper;
  std::atomic<uint64_t> next_file_number{1};

  FileSystem* fs() const { return files.get(); }
  FileNumber NewFileNumber() {
    return FileNumber{next_file_number.fetch_add(1, std::memory_order_relaxed)};
  }
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_STORAGE_H_
