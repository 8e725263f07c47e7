// Entry: one version of one key in a memtable's arena.
//
//   offset  size
//   0       8     next: the next entry of the same bucket of the hash index
//   8       8     trailer
//   16      4     key length
//   20      4     value length
//   24            key bytes, then value bytes
//
// All fields except `next` are written before the entry is published, and never afterwards.
#ifndef CAMBIUM_MEMTABLE_ENTRY_H_
#define CAMBIUM_MEMTABLE_ENTRY_H_

#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

#include "base/keys.h"
#include "util/arena.h"

namespace cambium::memtable {

// Immutable after construction, except `next`, which is thread-safe.
class Entry {
 public:
  static size_t SizeFor(size_t key_size, size_t value_size) {
    return sizeof(Entry) + key_size + value_size;
  }

  // Creates an entry in the arena and copies the bytes. The sizes must be within base/limits.h.
  // The value is `value_head` and then `value`.
  static Entry* Make(Arena* arena, std::string_view key, Trailer trailer, std::string_view value,
                     std::string_view value_head = {}) {
    const size_t value_size = value_head.size() + value.size();
    char* const memory = arena->Allocate(SizeFor(key.size(), value_size));
    Entry* const entry = new (memory)
        Entry(trailer, static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value_size));
    char* bytes = memory + sizeof(Entry);
    for (const std::string_view part : {key, value_head, value}) {
      if (!part.empty()) std::memcpy(bytes, part.data(), part.size());
      bytes += part.size();
    }
    return entry;
  }

  std::string_view key() const { return {bytes(), key_size_}; }
  Trailer trailer() const { return trailer_; }
  std::string_view value() const { return {bytes() + key_size_, value_size_}; }

  std::atomic<Entry*>& next() { return next_; }
  const std::atomic<Entry*>& next() const { return next_; }

 private:
  Entry(Trailer trailer, uint32_t key_size, uint32_t value_size)
      : trailer_(trailer), key_size_(key_size), value_size_(value_size) {}

  const char* bytes() const { return reinterpret_cast<const char*>(this) + sizeof(Entry); }

  std::atomic<Entry*> next_{nullptr};
  const Trailer trailer_;
  const uint32_t key_size_;
  const uint32_t value_size_;
};
static_assert(sizeof(Entry) == 24);
static_assert(alignof(Entry) <= Arena::kAlignment);

}  // namespace cambium::memtable

#endif  // CAMBIUM_MEMTABLE_ENTRY_H_
