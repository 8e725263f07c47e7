// BlockBuilder: sorted entries to the bytes of a data block (format: sstable/block.h).
//
// Columns are gathered apart and laid one after the other by Finish(). The builder is used again
// after Reset() and keeps its memory.
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

  // Requires: (key, trailer) is after every entry added since the last Reset(), key and value are
  // within the limits of base/limits.h, `hash` is HashKey(key). After Finish(): only after Reset().
  void Add(std::string_view key, Trailer trailer, std::string_view value, uint64_t hash);

  bool empty() const { return trailers_.empty(); }
  size_t count() const { return trailers_.size(); }
  // About the size that Finish() would give; a caller closes the block before it passes 2 GiB.
  size_t EstimatedSize() const;

  // Valid until Reset(). Require !empty().
  std::string_view first_key() const;
  std::string_view last_key() const;

  // The block's bytes, valid until Reset(). Requires !empty().
  std::string_view Finish();
  // kBlock… bits of the block. Requires Finish().
  uint8_t flags() const;

  // Ready for the next block.
  void Reset();

 private:
  std::string_view KeyAt(size_t index) const;
  void NarrowCommon(std::string_view key);
  BlockLayout MakeLayout() const;
  char* WriteKeys(char* to, const BlockLayout& layout) const;

  const KeyOrder order_;
  std::string keys_;                // back to back
  std::vector<uint32_t> key_ends_;  // in keys_
  std::string values_;              // back to back
  std::vector<uint32_t> value_ends_;
  std::vector<Trailer> trailers_;
  std::string fingerprints_;
  size_t prefix_size_ = 0;  // common to all keys so far
  size_t suffix_size_ = 0;  // common to all keys so far, which are of one size; else 0
  uint8_t flags_ = 0;
  std::string block_;
};

}  // namespace cambium::sstable

#endif  // CAMBIUM_SSTABLE_BLOCK_BLOCK_BUILDER_H_
