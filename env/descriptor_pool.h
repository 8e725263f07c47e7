// DescriptorPool: the descriptors of a PooledFileSystem, and the files that have one now. See
// env/pooled_file_system.h.
#ifndef CAMBIUM_ENV_DESCRIPTOR_POOL_H_
#define CAMBIUM_ENV_DESCRIPTOR_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cambium/file_system.h"
#include "util/file_status.h"
#include "util/mutex.h"

namespace cambium::env {

// A file whose descriptor the pool may close. Only the pool changes it after construction.
struct PooledDescriptor {
  explicit PooledDescriptor(std::string file_path) : path(std::move(file_path)) {}

  // `state` is the sum of kOpen, if the descriptor is open, and of one kPin per read that uses it.
  static constexpr uint32_t kOpen = 1;
  static constexpr uint32_t kPin = 2;

  const std::string path;
  std::atomic<uint32_t> state{0};
  std::atomic<bool> used{false};  // since the clock hand last passed
  // Written under the pool's mutex while `state` is 0; read by threads that have a pin.
  std::unique_ptr<RandomAccessFile> file;
  // Guarded by the pool's mutex.
  bool opening = false;
  std::list<PooledDescriptor*>::iterator place;  // in the pool's list, while it is open
};

// Thread-safe.
class DescriptorPool {
 public:
  // `base` must outlive it. max_open must be > 0.
  DescriptorPool(FileSystem* base, size_t max_open);
  ~DescriptorPool();
  DescriptorPool(const DescriptorPool&) = delete;
  DescriptorPool& operator=(const DescriptorPool&) = delete;

  // Keeps the descriptor open until Unpin(), and opens it if it is closed. Takes no lock if it is
  // open. The caller must not have a pin already.
  absl::Status Pin(PooledDescriptor* descriptor);
  void Unpin(PooledDescriptor* descriptor);
  // Closes a descriptor that no thread uses any more.
  void Forget(PooledDescriptor* descriptor);

  // Calls `call`, and repeats it as long as the base lacks a descriptor and one may become free.
  template <typename Call>
  auto WithRoom(Call call) {
    auto result = call();
    for (int attempt = 0; attempt < kAttempts && LacksDescriptor(result); ++attempt) {
      MakeRoom(attempt);
      result = call();
    }
    return result;
  }

  size_t open_count() const;
  // Closes up to `count` descriptors that no read uses; returns the number closed.
  size_t CloseIdle(size_t count);

 private:
  // Waits of 1, 2, 4 … milliseconds, if nothing could be closed.
  static constexpr int kAttempts = 10;

  static bool LacksDescriptor(const absl::Status& status) { return IsOutOfDescriptors(status); }
  template <typename T>
  static bool LacksDescriptor(const absl::StatusOr<T>& value) {
    return IsOutOfDescriptors(value.status());
  }

  // Returns false if it is closed.
  static bool TryPin(PooledDescriptor* descriptor);
  absl::Status OpenPinned(PooledDescriptor* descriptor);
  // Closes some idle descriptors of the process's pools, or waits for one to become idle.
  void MakeRoom(int attempt);
  // Takes the file of an idle descriptor; returns null if all are in use.
  std::unique_ptr<RandomAccessFile> TakeIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  FileSystem* const base_;
  const size_t max_open_;
  mutable Mutex mutex_;
  CondVar changed_;  // a descriptor became idle or was closed, or an opening ended
  std::atomic<int> waiters_{0};
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;                           // open or being opened
  std::list<PooledDescriptor*> descriptors_ ABSL_GUARDED_BY(mutex_);  // open; hand is in front
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_DESCRIPTOR_POOL_H_
