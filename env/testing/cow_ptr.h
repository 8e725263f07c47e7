// CowPtr: a value that copies share until one of them changes it (copy on write).
//
// std::shared_ptr is not suitable: its use_count() is a relaxed load, so a writer that finds itself
// the only owner would not be ordered after the last read of an owner that released it on another
// thread.
#ifndef CAMBIUM_ENV_TESTING_COW_PTR_H_
#define CAMBIUM_ENV_TESTING_COW_PTR_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace cambium::env {

// Null, or a reference to a T. A copy costs one reference count. Thread-compatible; copies may be
// on different threads.
template <typename T>
class CowPtr {
 public:
  CowPtr() = default;
  CowPtr(const CowPtr& other) : box_(other.box_) {
    if (box_ != nullptr) box_->references.fetch_add(1, std::memory_order_relaxed);
  }
  CowPtr(CowPtr&& other) noexcept : box_(std::exchange(other.box_, nullptr)) {}
  CowPtr& operator=(CowPtr other) noexcept {
    std::swap(box_, other.box_);
    return *this;
  }
  ~CowPtr() {
    if (box_ != nullptr && box_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      std::default_delete<Box>()(box_);
    }
  }

  // Valid until this CowPtr is changed or destroyed.
  const T* get() const { return box_ == nullptr ? nullptr : &box_->value; }

  // Returns the value, for this copy only; creates one if there is none. Valid like get().
  T* Mutable() {
    if (box_ == nullptr) {
      box_ = std::make_unique<Box>().release();
    } else if (box_->references.load(std::memory_order_acquire) != 1) {
      CowPtr copy;
      copy.box_ = std::make_unique<Box>(box_->value).release();
      std::swap(box_, copy.box_);
    }
    return &box_->value;
  }

  // Returns true if both are the same object, not just equal values.
  friend bool operator==(const CowPtr& a, const CowPtr& b) { return a.box_ == b.box_; }

 private:
  struct Box {
    Box() = default;
    explicit Box(const T& v) : value(v) {}
    std::atomic<size_t> references{1};
    T value{};
  };

  Box* box_ = nullptr;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_COW_PTR_H_
