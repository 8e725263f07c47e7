#include "util/process.h"

#include <pthread.h>

#include <cassert>

namespace cambium::process_internal {
namespace {

constinit std::atomic<Abandoned*> abandoned{nullptr};

void CountFork() { generation.fetch_add(1, std::memory_order_relaxed); }

// Runs before main(), so objects created later can be distinguished from a child's objects.
[[maybe_unused]] const bool registered = [] {
  const int result = ::pthread_atfork(nullptr, nullptr, CountFork);
  assert(result == 0);
  return result == 0;
}();

}  // namespace

constinit std::atomic<uint32_t> generation{1};

void KeepForever(Abandoned* object) {
  assert(object != nullptr && object->next == nullptr);
  object->next = abandoned.load(std::memory_order_relaxed);
  while (!abandoned.compare_exchange_weak(object->next, object, std::memory_order_acq_rel)) {
  }
}

}  // namespace cambium::process_internal
