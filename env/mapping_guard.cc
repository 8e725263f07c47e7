#include "env/mapping_guard.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <memory>

namespace cambium::env {
namespace {

// All ranges ever guarded. The handler may read the list at any time, so nothing is removed from
// it.
constinit std::atomic<GuardedRange*> ranges{nullptr};
// Set before the handler can run.
uintptr_t page_size = 0;
struct sigaction previous_action = {};

// Returns the range that contains `address`, or null. Async-signal-safe.
GuardedRange* Find(uintptr_t address) {
  for (GuardedRange* range = ranges.load(std::memory_order_acquire); range != nullptr;
       range = range->next) {
    const uintptr_t begin = range->begin.load(std::memory_order_acquire);
    const uintptr_t end = range->end.load(std::memory_order_acquire);
    if (begin == 0 || address < begin || address >= end) continue;
    // If the range was given to another mapping in the meantime, it is not the one that faulted.
    if (range->begin.load(std::memory_order_acquire) == begin) return range;
  }
  return nullptr;
}

// Maps zeros from the page of `address` on: the part after the end of a truncated file. mmap(2) is
// a bare system call, so it is safe in a handler.
bool Replace(GuardedRange* range, uintptr_t address) {
  const uintptr_t from = address / page_size * page_size;
  const uintptr_t end = range->end.load(std::memory_order_relaxed);
  // Set first: a thread that stores into the new pages without a fault finds the flag set.
  range->lost.store(true, std::memory_order_seq_cst);
  return ::mmap(reinterpret_cast<void*>(from), end - from, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

void HandOn(int signal, siginfo_t* info, void* context) {
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal, info, context);
    return;
  }
  const bool sent = info->si_code <= 0;  // sent by a process; otherwise caused by a memory access
  if (previous_action.sa_handler == SIG_IGN && sent) return;
  if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
    return;
  }
  // The default action: the access is repeated when this returns, and ends the process.
  ::signal(signal, SIG_DFL);
  if (sent) ::raise(signal);
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  GuardedRange* const range = info->si_code > 0 ? Find(address) : nullptr;
  if (range == nullptr || !Replace(range, address)) HandOn(signal, info, context);
  errno = saved_errno;
}

// The mappings do not exist in a child of fork() (MADV_DONTFORK), and their addresses may be
// reused.
void ForgetAll() {
  for (GuardedRange* range = ranges.load(); range != nullptr; range = range->next) {
    range->begin.store(0, std::memory_order_relaxed);
    range->taken.store(false, std::memory_order_relaxed);
  }
}

bool Install() {
  page_size = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  ::pthread_atfork(nullptr, nullptr, ForgetAll);
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  // Read before our handler is active: a handler that runs at once knows where to forward signals.
  return ::sigaction(SIGBUS, nullptr, &previous_action) == 0 &&
         ::sigaction(SIGBUS, &action, nullptr) == 0;
}

GuardedRange* TakeRange() {
  for (GuardedRange* range = ranges.load(std::memory_order_acquire); range != nullptr;
       range = range->next) {
    bool taken = false;
    if (range->taken.compare_exchange_strong(taken, true, std::memory_order_acq_rel)) return range;
  }
  GuardedRange* const range = std::make_unique<GuardedRange>().release();
  range->taken.store(true, std::memory_order_relaxed);
  range->next = ranges.load(std::memory_order_relaxed);
  while (!ranges.compare_exchange_weak(range->next, range, std::memory_order_acq_rel)) {
  }
  return range;
}

}  // namespace

MappingGuard::MappingGuard(const char* begin, size_t size) : range_(TakeRange()) {
  [[maybe_unused]] static const bool installed = Install();
  const auto first = reinterpret_cast<uintptr_t>(begin);
  assert(size > 0 && first % page_size == 0);
  range_->lost.store(false, std::memory_order_relaxed);
  range_->end.store((first + size + page_size - 1) / page_size * page_size,
                    std::memory_order_relaxed);
  range_->begin.store(first, std::memory_order_release);
}

MappingGuard::~MappingGuard() {
  range_->begin.store(0, std::memory_order_release);
  range_->taken.store(false, std::memory_order_release);
}

}  // namespace cambium::env
