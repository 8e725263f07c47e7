#include "sstable/cache/frame.h"

#include <new>

#include "sstable/cache/block_cache.h"
#include "util/status_macros.h"

namespace cambium::sstable {

Frame* Frame::New(BlockCache* cache, BlockKind kind, size_t size) {
  void* const memory =
      ::operator new (sizeof(Frame) + size, std::align_val_t{kFrameAlignment}, std::nothrow);
  return memory == nullptr ? nullptr : new (memory) Frame(cache, kind, size);
}

Frame::Frame(BlockCache* cache, BlockKind kind, size_t size)
    : kind_(kind), charge_(sizeof(Frame) + size), cache_(cache), place_() {
  cache_->Charge(charge_);
}

void Frame::Delete(Frame* frame) {
  frame->cache_->Uncharge(frame->charge_);
  frame->~Frame();
  ::operator delete (frame, std::align_val_t{kFrameAlignment});
}

absl::Status Frame::Parse(size_t size, const KeyOrder& order) {
  assert(sizeof(Frame) + size <= charge_);
  size_ = size;
  switch (kind_) {
    case BlockKind::kData: {
      ASSIGN_OR_RETURN(view_, Block::Parse(bytes()));
      break;
    }
    case BlockKind::kFilter: {
      ASSIGN_OR_RETURN(view_, FilterView::Parse(bytes()));
      break;
    }
    case BlockKind::kIndex: {
      ASSIGN_OR_RETURN(IndexView view, IndexView::Parse(bytes(), order));
      const size_t blocks = view.count();
      const size_t more = sizeof(IndexPart) + view.MemoryUsage() + blocks * sizeof(FrameSlot);
      view_ = std::unique_ptr<const IndexPart>(
          new IndexPart{std::move(view), std::make_unique<FrameSlot[]>(blocks)});
      cache_->Charge(more);
      charge_ += more;
      break;
    }
    default:  // used as bytes
      break;
  }
  return absl::OkStatus();
}

}  // namespace cambium::sstable
