// PinnedValue: a value where it lies, without a copy.
#ifndef CAMBIUM_PINNED_VALUE_H_
#define CAMBIUM_PINNED_VALUE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "cambium/export.h"

namespace cambium {

// Movable handle on a value. Short values are copied into it; long ones stay in a cached block or a
// memtable, which the handle keeps alive. view() is valid while the handle lives and is neither
// moved from, Reset() nor reused. It may outlive its DB's next operations but not the DB itself.
// Thread-compatible.
class CAMBIUM_EXPORT PinnedValue {
 public:
  // Called once with the argument given to Pin().
  using Release = void (*)(void* argument);

  PinnedValue() = default;
  PinnedValue(PinnedValue&& other) noexcept { *this = std::move(other); }
  PinnedValue& operator=(PinnedValue&& other) noexcept;
  PinnedValue(const PinnedValue&) = delete;
  PinnedValue& operator=(const PinnedValue&) = delete;
  ~PinnedValue() { Reset(); }

  std::string_view view() const { return view_; }
  std::string ToString() const { return std::string(view_); }

  // Gives up the value; view() is empty afterwards. Keeps its buffer for the next use.
  void Reset() {
    if (release_ != nullptr) std::exchange(release_, nullptr)(argument_);
    view_ = {};
  }

  // For the engine: take a copy, or take a view together with what keeps it alive.
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
