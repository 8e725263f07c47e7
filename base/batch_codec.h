// The encoding of a write batch: used in WriteBatch, in the log, and in recovery.
//
// Format: docs/format/log.md, "Payload".
//
// A batch consists of exactly these bytes, with nothing after them. Its operations have consecutive
// sequence numbers, in order. Tags are separate from an entry's Kind: future tags for transactions
// will never reach an SSTable. Tags are stored in files, so their numbers never change.
#ifndef CAMBIUM_BASE_BATCH_CODEC_H_
#define CAMBIUM_BASE_BATCH_CODEC_H_

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/expiry.h"
#include "base/keys.h"
#include "base/limits.h"
#include "base/range_tombstones.h"
#include "util/byte_reader.h"
#include "util/coding.h"

namespace cambium {

// Version 1 writes kPut, kDelete, kMerge, kRangeDelete, and kPutWithExpiry; the others are
// reserved, and a reader returns Unimplemented for them. 0 is not a tag, so zeros are not a valid
// batch.
enum class BatchOpTag : uint8_t {
  kPut = 1,
  kDelete = 2,
  kSingleDelete = 3,
  kMerge = 4,
  kRangeDelete = 5,
  kPutWithExpiry = 6,
  kWideColumns = 7,
  kTransactionPrepare = 32,
  kTransactionCommit = 33,
  kTransactionRollback = 34,
};
inline constexpr uint8_t kBatchColumnFamilyBit = 0x80;

inline constexpr size_t kBatchHeaderSize = 4;

// Returns true if an operation with that tag has a value (for kMerge, an operand; for kRangeDelete,
// the end of the range).
constexpr bool HasValue(BatchOpTag tag) {
  return tag == BatchOpTag::kPut || tag == BatchOpTag::kMerge || tag == BatchOpTag::kRangeDelete ||
         tag == BatchOpTag::kPutWithExpiry;
}

// Returns the kind of the entry that an operation creates; kRangeDelete creates none.
constexpr Kind KindOf(BatchOpTag tag) {
  assert(tag != BatchOpTag::kRangeDelete);
  if (tag == BatchOpTag::kMerge) return Kind::kMerge;
  if (tag == BatchOpTag::kPutWithExpiry) return Kind::kValueWithExpiry;
  return tag == BatchOpTag::kPut ? Kind::kValue : Kind::kDelete;
}

// One operation of a batch. Its views point into the batch's bytes.
struct BatchOp {
  BatchOpTag tag = BatchOpTag::kPut;
  ColumnFamilyId column_family = 0;
  std::string_view key;
  // Empty for a delete. For kPutWithExpiry: the expiry and the value, as the entry stores them
  // (base/expiry.h). In a WriteBatch, the place of the expiry holds the TTL in milliseconds.
  std::string_view value;
  // The first bytes of the value, if they are not together with the others; empty if they are.
  std::string_view value_head = {};
};

// A range delete is stored as an operation whose key is the begin of the range, and whose value
// consists of a byte of these flags and the end of the range.
inline constexpr uint8_t kRangeFromStart = 1;  // the begin is that of the family; no key
inline constexpr uint8_t kRangeToEnd = 2;      // the end is that of the family; no end key

// Returns the value of a range delete up to `end`, which must be kBefore or kEnd.
std::string EncodeRangeEnd(const KeyCut& begin, const KeyCut& end);
// Returns the range of a kRangeDelete that a BatchReader has read, or that has such a value. Refers
// to the bytes of the operation.
RangeTombstone RangeOf(const BatchOp& op, SequenceNumber sequence);

constexpr bool EntryWithinLimits(std::string_view key, std::string_view value) {
  return key.size() <= kMaxKeySize && value.size() <= kMaxValueSize;
}

// Iterates over the operations of an encoded batch of untrusted bytes, which must outlive the
// reader and the operations. Thread-compatible.
class BatchReader {
 public:
  explicit BatchReader(std::string_view encoded);

  // Returns the number of operations that the batch states.
  uint32_t count() const { return count_; }

  // Reads the next operation. Returns false at the end and at the first error: check status().
  bool Next(BatchOp* op);

  // Returns DataLoss if the bytes are not a batch (cut short, too long, or a limit exceeded), and
  // Unimplemented for a reserved tag.
  const absl::Status& status() const { return status_; }

 private:
  bool Fail(std::string_view what);

  ByteReader reader_;
  uint32_t count_ = 0;
  uint32_t done_ = 0;
  absl::Status status_;
};

// A batch of one operation on the stack: the bytes of the same WriteBatch, in pieces around the
// caller's key and value, which must outlive it. Immutable after construction.
class SingleOp {
 public:
  // `tag` is kPut, kPutWithExpiry, kMerge, kRangeDelete, or kDelete (which ignores `value`).
  // `expiry` is for kPutWithExpiry, whose `value` is without it.
  SingleOp(BatchOpTag tag, std::string_view key, std::string_view value, ColumnFamilyId family = 0,
           uint64_t expiry = 0)
      : tag_(tag) {
    assert(HasValue(tag) || tag == BatchOpTag::kDelete);
    StoreFixed32(head_.data(), 1);
    char* end = head_.data() + kBatchHeaderSize;
    *end++ =
        static_cast<char>(static_cast<uint8_t>(tag) | (family == 0 ? 0 : kBatchColumnFamilyBit));
    if (family != 0) end = StoreVarint64(end, family);
    end = StoreVarint64(end, key.size());
    pieces_[0] = {head_.data(), static_cast<size_t>(end - head_.data())};
    pieces_[1] = key;
    if (HasValue(tag)) {
      const size_t head_size = tag == BatchOpTag::kPutWithExpiry ? kExpirySize : 0;
      end = StoreVarint64(value_head_.data(), head_size + value.size());
      if (head_size != 0) StoreFixed64(end, expiry);
      end += head_size;
      pieces_[2] = {value_head_.data(), static_cast<size_t>(end - value_head_.data())};
      pieces_[3] = value;
    }
  }
  SingleOp(const SingleOp&) = delete;
  SingleOp& operator=(const SingleOp&) = delete;

  // Returns the pieces of the encoded batch, in order.
  std::span<const std::string_view> pieces() const {
    return {pieces_.data(), HasValue(tag_) ? size_t{4} : size_t{2}};
  }
  size_t ByteSize() const {
    return pieces_[0].size() + pieces_[1].size() + pieces_[2].size() + pieces_[3].size();
  }
  BatchOpTag tag() const { return tag_; }
  std::string_view key() const { return pieces_[1]; }
  std::string_view value() const { return pieces_[3]; }
  // Returns the expiry as it is stored, before value(); empty if there is none.
  std::string_view value_head() const {
    if (tag_ != BatchOpTag::kPutWithExpiry) return {};
    return pieces_[2].substr(pieces_[2].size() - kExpirySize);
  }

 private:
  const BatchOpTag tag_;
  std::array<char, kBatchHeaderSize + 1 + 2 * kMaxVarint64Bytes> head_;
  std::array<char, kMaxVarint64Bytes + kExpirySize> value_head_;  // its length and expiry
  std::array<std::string_view, 4> pieces_;
};

}  // namespace cambium

#endif  // CAMBIUM_BASE_BATCH_CODEC_H_
