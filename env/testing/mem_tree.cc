#include "env/testing/mem_tree.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <iterator>

namespace cambium::env {
namespace {

constexpr size_t kPageSize = MemContent::kPageSize;
constexpr size_t kSectorSize = 512;
// Appends up to this size are combined into one change: a cut tears changes anyway.
constexpr size_t kJoinedBytes = 4096;

// Copies a page of a mapping, as a kernel does when it writes it back: while other threads store
// into it. Unfinished stores may be torn in the copy, as on a disk; therefore ThreadSanitizer is
// disabled here.
__attribute__((noinline, no_sanitize("thread"))) void CopyMappedPage(const char* mapped,
                                                                     uint64_t* page) {
  const auto* words = reinterpret_cast<const volatile uint64_t*>(mapped);
  for (size_t i = 0; i < kPageSize / sizeof(uint64_t); ++i) page[i] = words[i];
}

// The smallest range [begin, end) in which two pages differ; empty if they are equal.
struct Range {
  size_t begin;
  size_t end;
};
Range Difference(const char* a, const char* b, size_t size) {
  if (std::memcmp(a, b, size) == 0) return {0, 0};
  size_t begin = 0;
  while (a[begin] == b[begin]) ++begin;
  size_t end = size;
  while (a[end - 1] == b[end - 1]) --end;
  return {begin, end};
}

std::vector<size_t> DirtyPages(const MemContent& synced, const MemContent& current) {
  std::vector<size_t> dirty;
  const size_t count = std::max(synced.page_count(), current.page_count());
  for (size_t i = 0; i < count; ++i) {
    if (!synced.SharesPage(current, i)) dirty.push_back(i);
  }
  return dirty;
}

// Returns the old size, the new one, or one in between.
uint64_t DrawSize(uint64_t synced, uint64_t current, SplitMix* random) {
  const auto [low, high] = std::minmax(synced, current);
  switch (random->Below(3)) {
    case 0:
      return synced;
    case 1:
      return current;
    default:
      return low + random->Below(high - low + 1);
  }
}

}  // namespace

MemMapping::MemMapping(uint64_t size) : size_(size), data_(nullptr) {
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address != MAP_FAILED) data_ = static_cast<char*>(address);
}

MemMapping::~MemMapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void MemFile::Write(uint64_t offset, std::string_view data) {
  if (data.empty()) return;
  current_.Write(offset, data);
  std::vector<Change>* changes = unsynced_.Mutable();
  if (!changes->empty() && changes->back().data.get() != nullptr) {
    Change& last = changes->back();
    const size_t size = last.data.get()->size();
    if (last.offset + size == offset && size + data.size() <= kJoinedBytes) {
      last.data.Mutable()->append(data);
      return;
    }
  }
  changes->push_back({.offset = offset, .data = {}});
  changes->back().data.Mutable()->assign(data);
}

void MemFile::Resize(uint64_t size) {
  if (size == current_.size()) return;
  current_.Resize(size);
  unsynced_.Mutable()->push_back({.offset = size, .data = {}});
}

void MemFile::Sync() {
  Absorb();
  synced_ = current_;
  unsynced_ = {};
}

size_t MemFile::Read(uint64_t offset, char* buffer, size_t size) const {
  if (mapping_ == nullptr) return current_.Read(offset, buffer, size);
  if (offset >= current_.size()) return 0;
  size = static_cast<size_t>(std::min<uint64_t>(size, current_.size() - offset));
  std::array<uint64_t, kPageSize / sizeof(uint64_t)> page;
  for (size_t done = 0; done < size;) {
    const size_t within = static_cast<size_t>((offset + done) % kPageSize);
    const size_t count = std::min(size - done, kPageSize - within);
    CopyMappedPage(mapping_->data() + (offset + done - within), page.data());
    std::memcpy(buffer + done, reinterpret_cast<const char*>(page.data()) + within, count);
    done += count;
  }
  return size;
}

char* MemFile::Map() {
  assert(mapping_ == nullptr && current_.size() > 0 && current_.HasNoBytes());
  // Whole pages, so that CopyMappedPage never reads past the end.
  auto mapping = std::make_unique<MemMapping>(current_.page_count() * kPageSize);
  if (mapping->data() == nullptr) return nullptr;
  mapping_ = std::move(mapping);
  return mapping_->data();
}

void MemFile::Absorb() {
  if (mapping_ == nullptr) return;
  std::array<uint64_t, kPageSize / sizeof(uint64_t)> page;
  const char* bytes = reinterpret_cast<const char*>(page.data());
  for (size_t i = 0; i < current_.page_count(); ++i) {
    const uint64_t offset = static_cast<uint64_t>(i) * kPageSize;
    CopyMappedPage(mapping_->data() + offset, page.data());
    const size_t size =
        static_cast<size_t>(std::min<uint64_t>(kPageSize, current_.size() - offset));
    const Range range = Difference(bytes, current_.Page(i), size);
    Write(offset + range.begin, std::string_view(bytes + range.begin, range.end - range.begin));
  }
}

void MemFile::Unmap() {
  Absorb();
  mapping_.reset();
}

std::shared_ptr<MemFile> MemFile::AfterCrash(CrashPolicy policy, SplitMix* random) const {
  if (policy != CrashPolicy::kEverything) {
    return std::make_shared<MemFile>(AfterCut(policy, random));
  }
  auto file = std::make_shared<MemFile>();
  file->synced_ = synced_;
  file->current_ = current_;
  file->unsynced_ = unsynced_;
  return file;
}

MemContent MemFile::AfterCut(CrashPolicy policy, SplitMix* random) const {
  if (!dirty()) return synced_;
  switch (policy) {
    case CrashPolicy::kSyncedOnly:
      return synced_;
    case CrashPolicy::kEverything:
      return current_;
    case CrashPolicy::kPrefix:
      return PrefixOfChanges(random);
    case CrashPolicy::kRandomPages:
      return RandomUnits(kPageSize, random);
    case CrashPolicy::kRandomSectors:
      return RandomUnits(kSectorSize, random);
    case CrashPolicy::kSizeWithoutData: {
      MemContent content = synced_;
      content.Resize(current_.size());
      return content;
    }
    case CrashPolicy::kGarbageTail:
      return WithGarbageTail(random);
    case CrashPolicy::kRandomEntries:
      return random->Coin() ? current_ : synced_;
  }
  return synced_;
}

MemContent MemFile::PrefixOfChanges(SplitMix* random) const {
  const std::vector<Change>& changes = *unsynced_.get();
  // Each written byte counts 1, and so does a change of size.
  uint64_t total = 0;
  for (const Change& change : changes) {
    total += change.data.get() == nullptr ? 1 : change.data.get()->size();
  }
  uint64_t left = random->Below(total + 1);
  MemContent content = synced_;
  for (const Change& change : changes) {
    if (left == 0) break;
    if (change.data.get() == nullptr) {
      content.Resize(change.offset);
      --left;
      continue;
    }
    const std::string_view data = std::string_view(*change.data.get()).substr(0, left);
    content.Write(change.offset, data);
    left -= data.size();
  }
  return content;
}

MemContent MemFile::RandomUnits(size_t unit, SplitMix* random) const {
  MemContent content = synced_;
  content.Resize(std::max(synced_.size(), current_.size()));
  for (const size_t index : DirtyPages(synced_, current_)) {
    for (size_t within = 0; within < kPageSize; within += unit) {
      if (!random->Coin()) continue;
      content.Write(static_cast<uint64_t>(index) * kPageSize + within,
                    std::string_view(current_.Page(index) + within, unit));
    }
  }
  content.Resize(DrawSize(synced_.size(), current_.size(), random));
  return content;
}

MemContent MemFile::WithGarbageTail(SplitMix* random) const {
  const std::vector<size_t> dirty = DirtyPages(synced_, current_);
  MemContent content = current_;
  if (dirty.empty()) return content;
  const uint64_t cut = static_cast<uint64_t>(dirty[random->Below(dirty.size())]) * kPageSize +
                       random->Below(kPageSize);
  std::array<char, kPageSize> page;
  for (const size_t index : dirty) {
    const uint64_t offset = static_cast<uint64_t>(index) * kPageSize;
    if (offset >= current_.size() || offset + kPageSize <= cut) continue;
    const size_t size =
        static_cast<size_t>(std::min<uint64_t>(kPageSize, current_.size() - offset));
    std::memcpy(page.data(), current_.Page(index), size);
    const char* old = synced_.Page(index);
    for (size_t i = static_cast<size_t>(std::max(cut, offset) - offset); i < size; ++i) {
      // A byte that is equal to its synced value is already on disk.
      if (offset + i >= synced_.size() || page[i] != old[i])
        page[i] = static_cast<char>(random->Next());
    }
    content.Write(offset, std::string_view(page.data(), size));
  }
  return content;
}

const MemNode* MemDirectory::Find(std::string_view name) const {
  const auto found = current_.find(name);
  return found == current_.end() ? nullptr : &found->second;
}

void MemDirectory::Set(std::string_view name, MemNode node) {
  Do({.erased = "", .name = std::string(name), .node = std::move(node)});
}

void MemDirectory::Erase(std::string_view name) {
  Do({.erased = std::string(name), .name = "", .node = {}});
}

void MemDirectory::Move(std::string_view from, std::string_view to) {
  Do({.erased = std::string(from), .name = std::string(to), .node = *Find(from)});
}

void MemDirectory::Sync() {
  for (const Change& change : unsynced_) Apply(change, &synced_);
  unsynced_.clear();
}

void MemDirectory::Do(Change change) {
  Apply(change, &current_);
  unsynced_.push_back(std::move(change));
}

void MemDirectory::Apply(const Change& change, Entries* entries) {
  if (!change.erased.empty()) entries->erase(change.erased);
  if (!change.name.empty()) entries->insert_or_assign(change.name, change.node);
}

MemDirectory::Entries MemDirectory::EntriesAfterCut(CrashImages* images) const {
  Entries entries = synced_;
  switch (images->policy) {
    case CrashPolicy::kSyncedOnly:
      break;
    case CrashPolicy::kRandomEntries:
      for (const Change& change : unsynced_) {
        if (images->random.Coin()) Apply(change, &entries);
      }
      break;
    default: {
      const size_t kept = images->random.Below(unsynced_.size() + 1);
      for (size_t i = 0; i < kept; ++i) Apply(unsynced_[i], &entries);
      break;
    }
  }
  return entries;
}

namespace {

// Returns the image of an entry's target, created once per crash.
MemNode ImageOf(const MemNode& node, CrashImages* images) {
  MemNode image;
  if (node.file != nullptr) {
    std::shared_ptr<MemFile>& file = images->files[node.file.get()];
    if (file == nullptr) file = node.file->AfterCrash(images->policy, &images->random);
    image.file = file;
  } else if (node.directory != nullptr) {
    // Uses a copy: the recursion may move the table's elements.
    std::shared_ptr<MemDirectory> directory = images->directories[node.directory.get()];
    if (directory == nullptr) {
      directory = node.directory->AfterCrash(images);
      images->directories[node.directory.get()] = directory;
    }
    image.directory = std::move(directory);
  }
  return image;
}

MemDirectory::Entries ImagesOf(const MemDirectory::Entries& entries, CrashImages* images) {
  MemDirectory::Entries result;
  for (const auto& [name, node] : entries) {
    result.emplace_hint(result.end(), name, ImageOf(node, images));
  }
  return result;
}

}  // namespace

std::shared_ptr<MemDirectory> MemDirectory::AfterCrash(CrashImages* images) const {
  auto image = std::make_shared<MemDirectory>();
  if (images->policy == CrashPolicy::kEverything) {
    image->current_ = ImagesOf(current_, images);
    image->synced_ = ImagesOf(synced_, images);
    for (const Change& change : unsynced_) {
      image->unsynced_.push_back(
          {.erased = change.erased, .name = change.name, .node = ImageOf(change.node, images)});
    }
  } else {
    image->current_ = ImagesOf(EntriesAfterCut(images), images);
    image->synced_ = image->current_;
  }
  for (const auto& [name, node] : image->current_) {
    if (node.file != nullptr) ++node.file->links;
  }
  return image;
}

}  // namespace cambium::env
