// Conversion of bytes to text and back: UTF-8, hexadecimal, base64, escapes.
#ifndef CAMBIUM_TOOLS_CAMBIUM_TEXT_H_
#define CAMBIUM_TOOLS_CAMBIUM_TEXT_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace cambium::tool {

// Returns the size of the well-formed UTF-8 character (RFC 3629) at the start of `text`; 0 if there
// is none.
size_t Utf8CharacterSize(std::string_view text);
bool IsUtf8(std::string_view text);

std::string ToHex(std::string_view bytes);
// Decodes digits of either case, two per byte; returns nullopt for anything else.
std::optional<std::string> FromHex(std::string_view hex);

// Encodes as in RFC 4648, with padding.
std::string ToBase64(std::string_view bytes);
std::optional<std::string> FromBase64(std::string_view text);

// Escapes for tsv: \\ \t \n \r, and \xNN for bytes that are not UTF-8.
std::string EscapeTsv(std::string_view bytes);
// Returns nullopt for a backslash followed by anything else.
std::optional<std::string> UnescapeTsv(std::string_view text);

// Replaces every nonprintable character with \xNN, so that data cannot control a terminal.
std::string EscapeForTerminal(std::string_view bytes);

// Returns the duration that "90s" names: decimal digits, and then ms, s, m, h or d. Returns nullopt
// for anything else, and for more than the type holds.
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_TEXT_H_
