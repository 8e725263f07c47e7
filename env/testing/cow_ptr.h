// CowPtr: a value shared by its copies until one of them changes it.
//
// Not std::shared_ptr: its use_count() is a relaxed load, so a writer who finds himself alone would
// not be ordered after the last read of a sharer who let go on another thread.
#ifndef CAMBIUM_ENV_TESTING_COW_PTR_H_
#define CAMBIUM_ENV_TESTING_COW_PTR_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace cambium::env {

// Null, or a reference to a T. A copy costs one count. Thread-compatible; copies may live on
// different threads.
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

  // The value, for this copy alone; a new one where there was none. Valid as get() is.
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

  // Whether both are the same value, not merely equal ones.
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
