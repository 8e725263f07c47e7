// MemContent: the bytes of a file in memory, as pages that copies share.
#ifndef CAMBIUM_ENV_TESTING_MEM_CONTENT_H_
#define CAMBIUM_ENV_TESTING_MEM_CONTENT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "env/testing/cow_ptr.h"

namespace cambium::env {

// A copy costs one reference count regardless of its size; the first write to a shared page copies
// that page. A page that was never written uses no memory and reads as zeros. Thread-compatible;
// copies may be on different threads.
class MemContent {
 public:
  static constexpr size_t kPageSize = 4096;

  uint64_t size() const { return size_; }
  size_t page_count() const { return static_cast<size_t>((size_ + kPageSize - 1) / kPageSize); }

  // Returns true if nothing was ever written, so all bytes are zeros.
  bool HasNoBytes() const { return pages_.get() == nullptr; }

  // Truncates, or extends with zeros.
  void Resize(uint64_t size);
  // Writes, and extends if necessary; a gap reads as zeros.
  void Write(uint64_t offset, std::string_view data);
  // Copies up to `size` bytes and returns the number copied.
  size_t Read(uint64_t offset, char* buffer, size_t size) const;

  // Returns kPageSize bytes; those past size() are 0. Valid until the next change.
  const char* Page(size_t index) const;
  // Returns true if page `index` is shared by both; pages that differ are never shared.
  bool SharesPage(const MemContent& other, size_t index) const;

 private:
  using PageBytes = std::array<char, kPageSize>;
  using Pages = std::vector<CowPtr<PageBytes>>;

  // Returns null if the page was never written.
  const PageBytes* Find(size_t index) const;

  uint64_t size_ = 0;
  CowPtr<Pages> pages_;  // no longer than page_count()
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_MEM_CONTENT_H_
