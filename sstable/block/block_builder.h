// BlockBuilder: builds a data block from sorted entries (format: docs/format/sstable-blocks.md).
//
// Columns are collected separately, and Finish() concatenates them. The builder may be reused after
// Reset() and keeps its memory.
#ifndef CAMBIUM_SSTABLE_BLOCK_BLOCK_BUILDER_H_
#define CAMBIUM_SSTABLE_BLOCK_BLOCK_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/keys.h"
#include "sstable/block/block.h"

namespace cambium::sstable {

// Thread-compatible.
class BlockBuilder {
 public:
  explicit BlockBuilder(const KeyOrder& order);
  BlockBuilder(const BlockBuilder&) = delete;
  BlockBuilder& operator=(const BlockBuilder&) = delete;

  // Adds an entry. (key, trailer) must be after every entry added since the last Reset(), key and
  // value must be within the limits of base/limits.h, and `hash` must be HashKey(key). After
  // Finish(): only after Reset().
  void Add(std::string_view key, Trailer trailer, std::string_view value, uint64_t hash);

  bool empty() const { return trailers_.empty(); }
  size_t count() const { return trailers_.size(); }
  // Returns approximately the size of the result of Finish(); a caller must finish the block before
  // it exceeds 2 GiB.
  size_t EstimatedSize() const;

  // Valid until Reset(). The builder must not be empty.
  std::string_view first_key() const;
  std::string_view last_key() const;

  // Returns the block's bytes, valid until Reset(). The builder must not be empty.
  std::string_view Finish();
  // Returns the kBlock… flags of the block. Call Finish() first.
  uint8_t flags() const;

  // Prepares for the next block.
  void Reset();

 private:
  std::string_view KeyAt(size_t index) const;
  void NarrowCommon(std::string_view key);
  BlockLayout MakeLayout() const;
  char* WriteKeys(char* to, const BlockLayout& layout) const;

  const KeyOrder order_;
  std::string keys_;                // concatenated
  std::vector<uint32_t> key_ends_;  // in keys_
  std::string values_;              // concatenated
  std::vector<uint32_t> value_ends_;
  std::vector<Trailer> trailers_;
  std::string fingerprints_;
  size_t prefix_size_ = 0;  // of all keys so far
  size_t suffix_size_ = 0;  // of all keys so far if they have the same size, else 0
  uint8_t flags_ = 0;
  std::string block_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_BLOCK_BUILDER_H_
