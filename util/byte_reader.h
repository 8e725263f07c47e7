// ByteReader: bounded decoding of untrusted bytes.
//
// All bytes from files are decoded with it. Its error is sticky: after the first read past the end
// every read returns zero or an empty view and ok() is false. A decoder therefore checks only once
// at its end, and before it allocates memory of a size that it read.
#ifndef CAMBIUM_UTIL_BYTE_READER_H_
#define CAMBIUM_UTIL_BYTE_READER_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "util/coding.h"

namespace cambium {

// Returned views point into the bytes given to the constructor. Thread-compatible.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t offset() const { return offset_; }
  size_t remaining() const {
    assert(offset_ <= bytes_.size());
    return bytes_.size() - offset_;
  }
  bool AtEnd() const { return remaining() == 0; }
  // Returns true if there was no error and no bytes are left.
  bool Finished() const { return ok_ && AtEnd(); }
  void Fail() { ok_ = false, offset_ = bytes_.size(); }

  uint8_t ReadFixed8() { return Fixed<uint8_t>(); }
  uint16_t ReadFixed16() { return Fixed<uint16_t>(); }
  uint32_t ReadFixed32() { return Fixed<uint32_t>(); }
  uint64_t ReadFixed64() { return Fixed<uint64_t>(); }

  // Also fails if the value has more than 64 bits or its encoding is longer than necessary.
  uint64_t ReadVarint64() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (offset_ >= bytes_.size()) break;
      const uint64_t byte = static_cast<unsigned char>(bytes_[offset_++]);
      if (shift == 63 && byte > 1) break;
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) != 0) continue;
      if (byte == 0 && shift > 0) break;
      return value;
    }
    Fail();
    return 0;
  }
  uint32_t ReadVarint32() {
    const uint64_t value = ReadVarint64();
    if (value <= UINT32_MAX) return static_cast<uint32_t>(value);
    Fail();
    return 0;
  }

  std::string_view ReadBytes(uint64_t size) {
    if (size > remaining()) {
      Fail();
      return {};
    }
    const std::string_view view = bytes_.substr(offset_, size);
    offset_ += view.size();
    return view;
  }
  // Reads a varint length, then that many bytes.
  std::string_view ReadLengthPrefixed() { return ReadBytes(ReadVarint64()); }

 private:
  template <typename T>
  T Fixed() {
    const std::string_view view = ReadBytes(sizeof(T));
    return view.empty() ? T{0} : LoadFixed<T>(view.data());
  }

  const std::string_view bytes_;
  size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace cambium

#endif  // CAMBIUM_UTIL_BYTE_READER_H_
