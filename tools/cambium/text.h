// Bytes as text: UTF-8, hexadecimal, base64, escapes.
#ifndef CAMBIUM_TOOLS_CAMBIUM_TEXT_H_
#define CAMBIUM_TOOLS_CAMBIUM_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace cambium::tool {

// Bytes of the well-formed UTF-8 character (RFC 3629) that `text` begins with; 0 where it begins
// with none.
size_t Utf8CharacterSize(std::string_view text);
bool IsUtf8(std::string_view text);

std::string ToHex(std::string_view bytes);
// Digits of either case, two a byte; nullopt for anything else.
std::optional<std::string> FromHex(std::string_view hex);

// RFC 4648, with padding.
std::string ToBase64(std::string_view bytes);
std::optional<std::string> FromBase64(std::string_view text);

// tsv's escapes: \\ \t \n \r, and \xNN for bytes that are not UTF-8.
std::string EscapeTsv(std::string_view bytes);
// nullopt for a backslash with anything else behind it.
std::optional<std::string> UnescapeTsv(std::string_view text);

// Everything that is not a printable character stands as \xNN, so that data cannot drive a
// terminal.
std::string EscapeForTerminal(std::string_view bytes);

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_TEXT_H_
