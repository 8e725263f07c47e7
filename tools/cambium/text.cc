#include "tools/cambium/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"

namespace cambium::tool {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

void AppendHexByte(char byte, std::string* out) {
  const auto value = static_cast<unsigned char>(byte);
  out->push_back(kHexDigits[value >> 4]);
  out->push_back(kHexDigits[value & 15]);
}

bool IsControl(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  // U+0080 to U+009F: a terminal may interpret them as control sequences.
  return character.size() == 2 && first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

// The bounds of a character's second byte, by its first byte (RFC 3629, section 4).
struct SecondByte {
  unsigned char low, high;
};
SecondByte SecondByteOf(unsigned char first) {
  switch (first) {
    case 0xe0:
      return {0xa0, 0xbf};
    case 0xed:
      return {0x80, 0x9f};
    case 0xf0:
      return {0x90, 0xbf};
    case 0xf4:
      return {0x80, 0x8f};
    default:
      return {0x80, 0xbf};
  }
}

}  // namespace

size_t Utf8CharacterSize(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  size_t size = 0;
  if (first >= 0xc2 && first <= 0xdf) size = 2;
  if (first >= 0xe0 && first <= 0xef) size = 3;
  if (first >= 0xf0 && first <= 0xf4) size = 4;
  if (size == 0 || text.size() < size) return 0;
  const SecondByte second = SecondByteOf(first);
  if (byte(1) < second.low || byte(1) > second.high) return 0;
  for (size_t i = 2; i < size; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return size;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = Utf8CharacterSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string ToHex(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char byte : bytes) AppendHexByte(byte, &hex);
  return hex;
}

std::optional<std::string> FromHex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexValue(hex[i]);
    const int low = HexValue(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::string ToBase64(std::string_view bytes) {
  return absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
}

std::optional<std::string> FromBase64(std::string_view text) {
  std::string bytes;
  if (!absl::Base64Unescape(absl::string_view(text.data(), text.size()), &bytes)) {
    return std::nullopt;
  }
  // Accepts only the encoding that ToBase64 returns: anything else is damage.
  if (ToBase64(bytes) != text) return std::nullopt;
  return bytes;
}

std::string EscapeTsv(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t size = Utf8CharacterSize(bytes);
    switch (bytes[0]) {
      case '\\':
        text += "\\\\";
        break;
      case '\t':
        text += "\\t";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      default:
        if (size > 0) {
          text += bytes.substr(0, size);
        } else {
          text += "\\x";
          AppendHexByte(bytes[0], &text);
        }
    }
    bytes.remove_prefix(std::max<size_t>(size, 1));
  }
  return text;
}

std::optional<std::string> UnescapeTsv(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes.push_back(text[i]);
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case '\\':
        bytes.push_back('\\');
        break;
      case 't':
        bytes.push_back('\t');
        break;
      case 'n':
        bytes.push_back('\n');
        break;
      case 'r':
        bytes.push_back('\r');
        break;
      case 'x': {
        const std::optional<std::string> byte = FromHex(text.substr(i + 1, 2));
        if (!byte.has_value() || byte->size() != 1) return std::nullopt;
        bytes += *byte;
        i += 2;
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return bytes;
}

std::string EscapeForTerminal(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t size = Utf8CharacterSize(bytes);
    if (size > 0 && !IsControl(bytes.substr(0, size))) {
      text += bytes.substr(0, size);
      bytes.remove_prefix(size);
      continue;
    }
    text += "\\x";
    AppendHexByte(bytes[0], &text);
    bytes.remove_prefix(1);
  }
  return text;
}

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc()) return std::nullopt;
  const std::string_view unit(parsed.ptr, static_cast<size_t>(end - parsed.ptr));
  for (const auto& [name, millis] : kUnits) {
    if (name != unit) continue;
    if (number > static_cast<uint64_t>(INT64_MAX / millis)) return std::nullopt;
    return std::chrono::milliseconds(static_cast<int64_t>(number) * millis);
  }
  return std::nullopt;
}

}  // namespace cambium::tool
