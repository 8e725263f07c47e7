#include "sstable/block_iterator.h"

namespace cambium::sstable {

void BlockIterator::SetBlock(const Block& block) {
  block_ = block;
  SetInvalid();
  if (block.count() == 0) return;
  const std::string_view prefix = block.prefix();
  const std::string_view suffix = block.suffix();
  prefix_size_ = prefix.size();
  suffix_size_ = suffix.size();
  if (prefix_size_ + suffix_size_ == 0) return;  // keys are looked at where they lie
  const size_t room = prefix_size_ + block.max_middle_size() + suffix_size_;
  if (key_.size() < room) key_.resize(room);
  std::memcpy(key_.data(), prefix.data(), prefix_size_);
  // Where there is a suffix, middles are of one size: it never moves.
  if (suffix_size_ != 0)
    std::memcpy(key_.data() + room - suffix_size_, suffix.data(), suffix_size_);
}

void BlockIterator::SeekForPrev(std::string_view key, Tag tag) {
  const size_t at = block_.LowerBound(key, tag, order_);
  MoveTo(at);
  if (!Valid() || this->tag() != tag || !order_.Equal(this->key(), key)) MoveTo(at - 1);
}

}  // namespace cambium::sstable
