#include "env/testing/mem_content.h"

#include <algorithm>
#include <cstring>

namespace cambium::env {

void MemContent::Resize(uint64_t size) {
  const bool cut = size < size_;
  size_ = size;
  if (!cut || pages_.get() == nullptr || pages_.get()->size() < page_count()) return;
  Pages* pages = pages_.Mutable();
  pages->resize(page_count());
  const size_t tail = static_cast<size_t>(size % kPageSize);
  // Bytes past the end must read as zeros if the file grows again.
  if (tail != 0 && pages->back().get() != nullptr) {
    PageBytes* last = pages->back().Mutable();
    std::fill(last->begin() + static_cast<std::ptrdiff_t>(tail), last->end(), '\0');
  }
}

void MemContent::Write(uint64_t offset, std::string_view data) {
  if (data.empty()) return;
  size_ = std::max(size_, offset + data.size());
  Pages* pages = pages_.Mutable();
  const size_t needed = static_cast<size_t>((offset + data.size() - 1) / kPageSize) + 1;
  if (pages->size() < needed) pages->resize(needed);
  while (!data.empty()) {
    const size_t within = static_cast<size_t>(offset % kPageSize);
    const size_t count = std::min(data.size(), kPageSize - within);
    PageBytes* page = (*pages)[static_cast<size_t>(offset / kPageSize)].Mutable();
    std::memcpy(page->data() + within, data.data(), count);
    offset += count;
    data.remove_prefix(count);
  }
}

size_t MemContent::Read(uint64_t offset, char* buffer, size_t size) const {
  if (offset >= size_) return 0;
  size = static_cast<size_t>(std::min<uint64_t>(size, size_ - offset));
  for (size_t done = 0; done < size;) {
    const size_t within = static_cast<size_t>((offset + done) % kPageSize);
    const size_t count = std::min(size - done, kPageSize - within);
    const char* page = Page(static_cast<size_t>((offset + done) / kPageSize));
    std::memcpy(buffer + done, page + within, count);
    done += count;
  }
  return size;
}

const char* MemContent::Page(size_t index) const {
  static constexpr PageBytes kZeros = {};
  const PageBytes* page = Find(index);
  return page == nullptr ? kZeros.data() : page->data();
}

bool MemContent::SharesPage(const MemContent& other, size_t index) const {
  return Find(index) == other.Find(index);
}

const MemContent::PageBytes* MemContent::Find(size_t index) const {
  const Pages* pages = pages_.get();
  return pages == nullptr || index >= pages->size() ? nullptr : (*pages)[index].get();
}

}  // namespace cambium::env
