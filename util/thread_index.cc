#include "util/thread_index.h"

#include <atomic>

namespace cambium {
namespace thread_internal {

constinit thread_local ThreadState this_thread;

namespace {

// One number. Never freed: databases may close while static objects are destroyed.
struct Number {
  explicit Number(uint32_t number) : value(number) {}

  std::atomic<bool> taken{true};  // by a living thread
  const uint32_t value;
  Number* next = nullptr;  // constant after the number is in the list
};

constinit std::atomic<Number*> numbers{nullptr};  // newest first
constinit std::atomic<uint32_t> number_count{0};

// Returns the smallest free number, or null.
Number* SmallestFree() {
  Number* free = nullptr;
  for (Number* number = numbers.load(std::memory_order_acquire); number != nullptr;
       number = number->next) {
    const bool taken = number->taken.load(std::memory_order_relaxed);
    if (!taken && (free == nullptr || number->value < free->value)) free = number;
  }
  return free;
}

Number* Take() {
  while (Number* const free = SmallestFree()) {
    bool taken = false;
    if (free->taken.compare_exchange_strong(taken, true, std::memory_order_acq_rel)) return free;
  }
  auto* const number = new Number(number_count.fetch_add(1, std::memory_order_seq_cst));
  number->next = numbers.load(std::memory_order_relaxed);
  while (!numbers.compare_exchange_weak(number->next, number, std::memory_order_acq_rel)) {
  }
  return number;
}

// Set when the thread's number is released: code that runs later in the thread (destructors of
// static objects) takes a number that is never released.
constinit thread_local bool thread_ended = false;

// Releases the thread's number when the thread ends.
struct NumberOwner {
  ~NumberOwner() {
    thread_ended = true;
    if (number == nullptr) return;
    assert(this_thread.open_guards == 0);
    this_thread.index = kNoIndex;
    number->taken.store(false, std::memory_order_release);
  }
  Number* number = nullptr;
};
thread_local NumberOwner number_owner;

}  // namespace

uint32_t Register() {
  Number* const number = Take();
  if (!thread_ended) number_owner.number = number;
  return this_thread.index = number->value;
}

}  // namespace thread_internal

uint32_t ThreadIndexLimit() {
  return thread_internal::number_count.load(std::memory_order_seq_cst);
}

}  // namespace cambium
