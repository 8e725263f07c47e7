// Frame: one block of a table in memory: verified, uncompressed, and parsed.
//
// One allocation: this header, then the bytes, aligned to 64 (the lines of a filter are cache
// lines).
//
// Life of a cached frame:
//
//   created ─▶ in a slot and in the clock ─▶ removed from both ─▶ retired ─▶ freed
//              (one reference is the cache's)                    (epoch)
//
// A reader that finds a frame in a slot inside an EpochGuard may use it until the guard ends,
// without a reference; to use it longer, it takes a reference inside the guard. The cache drops its
// reference through the epoch, so a frame that a guard can see always has the cache's reference.
//
// A frame that is not cached is owned by the holders of its references.
//
// The frame of an index partition contains the slots of the data blocks that the partition lists. A
// data block is in the cache only while its index partition is: evicting an index evicts its data
// blocks. Therefore a slot exists at least as long as a frame points to it.
#ifndef CAMBIUM_SSTABLE_CACHE_FRAME_H_
#define CAMBIUM_SSTABLE_CACHE_FRAME_H_

#include <atomic>
#include <cassert>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "base/keys.h"
#include "sstable/block/block.h"
#include "sstable/block/block_format.h"
#include "sstable/block/filter_partition.h"
#include "sstable/block/index_partition.h"
#include "util/epoch.h"

namespace cambium::sstable {

class BlockCache;
class Frame;

// The address of a block's cached frame; null if it is not cached. Only the cache writes it, under
// its lock.
using FrameSlot = std::atomic<Frame*>;

inline constexpr size_t kFrameAlignment = 64;

// Bytes and view are immutable after parsing, the cache's lock guards the place, and the rest is
// thread-safe.
class alignas(kFrameAlignment) Frame {
 public:
  // The frame's place in the cache: guarded by the cache's lock.
  struct Place {
    FrameSlot* slot = nullptr;
    size_t index = 0;  // in the clock
  };

  // Creates an unparsed frame with room for `size` bytes and one reference. `cache` counts its
  // memory and must outlive it. Returns null if there is no memory.
  static Frame* New(BlockCache* cache, BlockKind kind, size_t size);
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  // Returns the buffer for the block's bytes. Only before the frame is shared.
  char* buffer() { return reinterpret_cast<char*>(this) + sizeof(Frame); }
  // Parses the first `size` bytes of the buffer as a block of its kind. Only before the frame is
  // shared. Errors contain the found values, without file and offset.
  absl::Status Parse(size_t size, const KeyOrder& order);

  BlockKind kind() const { return kind_; }
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(this) + sizeof(Frame), size_};
  }
  // Return the view of a parsed frame, which must be of that kind.
  const Block& block() const { return View<Block>(); }
  const FilterView& filter() const { return View<FilterView>(); }
  const IndexView& index() const { return View<std::unique_ptr<const IndexPart>>()->view; }
  // The frame must be a parsed index that lists the block.
  FrameSlot* data_slot(size_t block) const {
    assert(block < index().count());
    return &View<std::unique_ptr<const IndexPart>>()->slots[block];
  }
  // Returns the slots of the blocks that an index lists; empty for any other frame.
  std::span<FrameSlot> data_slots() const {
    const auto* const part = std::get_if<std::unique_ptr<const IndexPart>>(&view_);
    if (part == nullptr) return {};
    return {(*part)->slots.get(), (*part)->view.count()};
  }

  BlockCache* cache() const { return cache_; }
  // Returns the memory use in bytes.
  size_t charge() const { return charge_; }

  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  // Drops a reference; the last one frees the frame.
  void Unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Delete(this);
  }

  // Lives in the clock: a use gives a block its maximum; the hand takes them one by one. Written
  // only if they change, so a hot frame's cache line stays shared.
  void MarkUsed() {
    const uint8_t most = kind_ == BlockKind::kData ? 1 : 2;
    if (lives_.load(std::memory_order_relaxed) != most) {
      lives_.store(most, std::memory_order_relaxed);
    }
  }
  // Takes a life; returns false if there was none.
  bool TakeLife() {
    const uint8_t lives = lives_.load(std::memory_order_relaxed);
    if (lives == 0) return false;
    lives_.store(lives - 1, std::memory_order_relaxed);
    return true;
  }

  // Prefetches what a search in a data block reads first: this header, and the block's header and
  // fingerprints, which follow it.
  void Prefetch() const {
    const char* const from = reinterpret_cast<const char*>(this);
    for (size_t line = 0; line < kPrefetchedSize; line += kFrameAlignment) {
      __builtin_prefetch(from + line);
    }
  }

  // Used by the cache, under its lock.
  bool in_clock() const { return in_clock_; }
  Place& place() {
    assert(in_clock_);
    return place_;
  }
  void EnterClock(const Place& place) {
    assert(!in_clock_);
    place_ = place;
    in_clock_ = true;
  }
  // Returns the link for retiring the frame; the place is then destroyed.
  EpochLink* LeaveClock() {
    assert(in_clock_);
    in_clock_ = false;
    return &link_;
  }

 private:
  struct IndexPart {
    IndexView view;
    std::unique_ptr<FrameSlot[]> slots;  // one per block, in the order of the view
  };

  // Two lines of this header, and three of the block.
  static constexpr size_t kPrefetchedSize = 5 * kFrameAlignment;

  Frame(BlockCache* cache, BlockKind kind, size_t size);
  ~Frame() = default;
  static void Delete(Frame* frame);

  template <typename V>
  const V& View() const {
    const V* const view = std::get_if<V>(&view_);
    assert(view != nullptr);
    return *view;
  }

  // The index is larger than the others and is allocated separately, so that a data block's header
  // stays small.
  std::variant<std::monostate, Block, FilterView, std::unique_ptr<const IndexPart>> view_;
  std::atomic<uint32_t> references_{1};
  std::atomic<uint8_t> lives_{0};
  const BlockKind kind_;
  bool in_clock_ = false;  // guarded by the cache's lock
  size_t size_ = 0;
  size_t charge_;
  BlockCache* const cache_;
  // Used one after the other: a place while in the clock, then a link.
  union {
    Place place_;
    EpochLink link_;
  };
};
static_assert(sizeof(Frame) == 2 * kFrameAlignment);  // Prefetch() relies on it

// Owns one reference to a frame, or none. Movable. Confined to one thread at a time.
class FrameLease {
 public:
  FrameLease() = default;
  // Takes ownership of a reference.
  static FrameLease Own(Frame* frame) { return FrameLease(frame); }
  // Takes a new reference: `frame` is null, or found in a slot inside the caller's guard, or held
  // by another lease.
  static FrameLease Share(Frame* frame) {
    if (frame != nullptr) frame->Ref();
    return FrameLease(frame);
  }
  FrameLease(FrameLease&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  FrameLease& operator=(FrameLease&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~FrameLease() { Reset(); }

  void Reset() {
    Frame* const frame = std::exchange(frame_, nullptr);
    if (frame != nullptr) frame->Unref();
  }
  // Releases the reference to the caller.
  Frame* Release() { return std::exchange(frame_, nullptr); }

  explicit operator bool() const { return frame_ != nullptr; }
  Frame* get() const { return frame_; }
  Frame* operator->() const { return frame_; }

 private:
  explicit FrameLease(Frame* frame) : frame_(frame) {}

  Frame* frame_ = nullptr;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_CACHE_FRAME_H_
