#include "benchmarks/harness/records.h"

namespace cambium::bench {

void Records::Acknowledge(uint64_t record) {
  const std::lock_guard<std::mutex> lock(mutex_);
  early_.push(record);
  uint64_t readable = readable_.load(std::memory_order_relaxed);
  while (!early_.empty() && early_.top() == readable) {
    early_.pop();
    ++readable;
  }
  readable_.store(readable, std::memory_order_release);
}

}  // namespace cambium::bench
