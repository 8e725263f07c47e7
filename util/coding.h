// Encoding and decoding of integers: fixed-width little-endian, and LEB128 varints.
//
// Bytes from a file are decoded with ByteReader (util/byte_reader.h), which checks bounds; the
// unchecked loads here are for bytes that this process has checked or created.
#ifndef CAMBIUM_UTIL_CODING_H_
#define CAMBIUM_UTIL_CODING_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cambium {

static_assert(std::endian::native == std::endian::little,
              "big-endian machines need byte swaps here");

inline constexpr size_t kMaxVarint64Bytes = 10;

template <typename T>
inline T LoadFixed(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
template <typename T>
inline void StoreFixed(char* to, T value) {
  std::memcpy(to, &value, sizeof(value));
}

inline uint32_t LoadFixed32(const char* from) { return LoadFixed<uint32_t>(from); }
inline uint64_t LoadFixed64(const char* from) { return LoadFixed<uint64_t>(from); }
inline void StoreFixed32(char* to, uint32_t value) { StoreFixed(to, value); }
inline void StoreFixed64(char* to, uint64_t value) { StoreFixed(to, value); }

template <typename T>
inline void AppendFixed(std::string* out, T value) {
  char bytes[sizeof(T)];
  StoreFixed(bytes, value);
  out->append(bytes, sizeof(T));
}
inline void AppendFixed16(std::string* out, uint16_t value) { AppendFixed(out, value); }
inline void AppendFixed32(std::string* out, uint32_t value) { AppendFixed(out, value); }
inline void AppendFixed64(std::string* out, uint64_t value) { AppendFixed(out, value); }

// Writes at most kMaxVarint64Bytes at `to`; returns a pointer to the next byte.
inline char* StoreVarint64(char* to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
inline void AppendVarint64(std::string* out, uint64_t value) {
  char bytes[kMaxVarint64Bytes];
  out->append(bytes, static_cast<size_t>(StoreVarint64(bytes, value) - bytes));
}
inline size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}
// Appends a varint length, then the bytes.
inline void AppendLengthPrefixed(std::string* out, std::string_view bytes) {
  AppendVarint64(out, bytes.size());
  out->append(bytes);
}

// Returns the first eight bytes as a big-endian number, padded with zeros. If two abbreviated keys
// differ, they order bytewise like the keys; if they are equal, the keys must be compared.
inline uint64_t AbbreviateKey(std::string_view key) {
  uint64_t abbreviated = 0;
  if (key.size() >= 8) {
    std::memcpy(&abbreviated, key.data(), 8);
    return __builtin_bswap64(abbreviated);
  }
  for (size_t i = 0; i < key.size(); ++i) {
    abbreviated |= uint64_t{static_cast<unsigned char>(key[i])} << (56 - 8 * i);
  }
  return abbreviated;
}

}  // namespace cambium

#endif  // CAMBIUM_UTIL_CODING_H_
