// SharedArray: an immutable array whose copies share their elements.
#ifndef CAMBIUM_UTIL_SHARED_ARRAY_H_
#define CAMBIUM_UTIL_SHARED_ARRAY_H_

#include <cassert>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace cambium {

// A copy costs one counted reference, regardless of the size. Converts to a span, which is valid as
// long as a copy exists. Immutable after construction.
template <typename T>
class SharedArray {
 public:
  SharedArray() = default;
  explicit SharedArray(std::vector<T> elements)
      : owner_(std::make_shared<const std::vector<T>>(std::move(elements))), all_(*owner_) {}

  const T* begin() const { return all_.data(); }
  const T* end() const { return all_.data() + all_.size(); }
  const T* data() const { return all_.data(); }
  size_t size() const { return all_.size(); }
  bool empty() const { return all_.empty(); }
  const T& operator[](size_t index) const {
    assert(index < all_.size());
    return all_[index];
  }
  const T& front() const { return (*this)[0]; }
  const T& back() const { return (*this)[size() - 1]; }

  // Returns true if one is a copy of the other.
  bool SharesWith(const SharedArray& other) const { return owner_ == other.owner_; }

 private:
  std::shared_ptr<const std::vector<T>> owner_;
  std::span<const T> all_;  // the elements of *owner_; saves a load per access
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_SHARED_ARRAY_H_
