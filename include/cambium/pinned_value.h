// PinnedValue: the result of a read, without a copy of a long value.
#ifndef CAMBIUM_PINNED_VALUE_H_
#define CAMBIUM_PINNED_VALUE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "cambium/export.h"

namespace cambium {

// A movable handle to a value. A short value is copied into it; a long one stays in a cached block
// or a memtable, which the handle keeps alive. view() is valid until the handle is destroyed, moved
// from, Reset() or reused. Destroy it before its DB. Thread-compatible.
class CAMBIUM_EXPORT PinnedValue {
 public:
  // Called once, with the argument of Pin().
  using Release = void (*)(void* argument);

  PinnedValue() = default;
  PinnedValue(PinnedValue&& other) noexcept { *this = std::move(other); }
  PinnedValue& operator=(PinnedValue&& other) noexcept;
  PinnedValue(const PinnedValue&) = delete;
  PinnedValue& operator=(const PinnedValue&) = delete;
  ~PinnedValue() { Reset(); }

  std::string_view view() const { return view_; }
  std::string ToString() const { return std::string(view_); }

  // Releases the value; view() is empty afterwards. Keeps its buffer for the next use.
  void Reset() {
    if (release_ != nullptr) std::exchange(release_, nullptr)(argument_);
    view_ = {};
  }

  // For the engine. Copy() copies `value`. Pin() refers to `value` until it calls `release`.
  void Copy(std::string_view value) {
    Reset();
    copy_.assign(value);
    view_ = copy_;
  }
  void Pin(std::string_view value, Release release, void* argument) {
    Reset();
    view_ = value;
    release_ = release;
    argument_ = argument;
  }

 private:
  std::string_view view_;
  std::string copy_;
  Release release_ = nullptr;
  void* argument_ = nullptr;
};

inline PinnedValue& PinnedValue::operator=(PinnedValue&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  const bool copied = other.release_ == nullptr;
  const size_t size = other.view_.size();
  copy_.swap(other.copy_);
  view_ = copied ? std::string_view(copy_.data(), size) : other.view_;
  release_ = std::exchange(other.release_, nullptr);
  argument_ = other.argument_;
  other.view_ = {};
  return *this;
}

}  // namespace cambium

#endif  // CAMBIUM_PINNED_VALUE_H_
