#include "tools/cambium/bdb_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/cambium/text.h"

namespace cambium::tool {
namespace {

constexpr size_t kMaxNamesTold = 10;
constexpr size_t kMaxBytesTold = 80;

// Words that only tune the other engine: pages, maps, checksums, and indexes that are derived from
// the records.
constexpr std::array<std::string_view, 12> kIgnored = {
    "mapsize",   "mapaddr",   "maxreaders", "db_pagesize", "db_lorder", "chksum",
    "bt_minkey", "bt_maxkey", "recnum",     "compressed",  "h_ffactor", "h_nelem"};

// Words with a value that means that a record is not a key with one value in bytewise order.
struct RefusedWord {
  std::string_view word, value, why;
};
constexpr std::array<RefusedWord, 8> kRefused = {{
    {"duplicates", "1", "a key may have several values"},
    {"dupsort", "1", "a key may have several values"},
    {"dupfixed", "1", "a key may have several values"},
    {"integerdup", "1", "a key may have several values"},
    {"reversedup", "1", "a key may have several values"},
    {"integerkey", "1", "its keys are ordered as numbers; Cambium orders them by their bytes"},
    {"reversekey", "1", "its keys are ordered by their last bytes; Cambium begins with the first"},
    {"keys", "0", "the dump holds no keys"},
}};

template <typename Array>
bool Contains(const Array& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Returns the text for a message: its start, if it is long.
std::string Start(std::string_view text) {
  return std::string(text.substr(0, kMaxBytesTold)) + (text.size() > kMaxBytesTold ? "…" : "");
}

bool IsControl(char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == 0x7f; }

}  // namespace

std::optional<std::string> DecodePrint(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsControl(text[i])) return std::nullopt;
    if (text[i] != '\\') {
      bytes.push_back(text[i]);
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      bytes.push_back('\\');
      ++i;
    } else {
      const std::optional<std::string> byte = FromHex(text.substr(i + 1, 2));
      if (!byte.has_value() || byte->size() != 1) return std::nullopt;
      bytes += *byte;
      i += 2;
    }
  }
  return bytes;
}

absl::StatusOr<bool> BdbReader::Next(Record* record) {
  for (;;) {
    if (!in_section_) {
      absl::StatusOr<bool> more = ReadHeader();
      if (!more.ok()) return more;
      if (!*more) break;
      absl::StatusOr<bool> chosen = Choose();
      if (!chosen.ok()) return chosen;
      if (!*chosen) {
        if (absl::Status status = SkipSection(); !status.ok()) return status;
        continue;
      }
      in_section_ = has_loaded_ = true;
    }
    absl::StatusOr<bool> more = ReadRecord(record);
    if (!more.ok() || *more) return more;
    in_section_ = false;
  }
  if (found_.empty()) return Early("VERSION=3");
  if (has_loaded_) return false;
  if (found_.size() > kMaxNamesTold) found_.back() = "…";
  return absl::NotFoundError(absl::StrCat(input_->name(), ": there is no section of database '",
                                          *database_, "', only of ", absl::StrJoin(found_, ", ")));
}

absl::StatusOr<bool> BdbReader::ReadHeader() {
  std::string_view line;
  absl::StatusOr<bool> more = input_->Next(&line);
  if (!more.ok() || !*more) return more;
  section_ = Section();
  section_.line = input_->line_number();
  if (line != "VERSION=3") {
    const bool is_version = line.starts_with("VERSION=");
    if (is_version) return Refused(section_.line, absl::StrCat("found ", Start(line)));
    return DamageError(found_.empty()
                           ? "expected VERSION=3"
                           : "expected VERSION=3 or the end of the input after DATA=END");
  }
  for (;;) {
    more = input_->Next(&line);
    if (!more.ok()) return more;
    if (!*more) return Early("HEADER=END");
    if (line == "HEADER=END") break;
    if (absl::Status status = ReadHeaderLine(line); !status.ok()) return status;
  }
  if (found_.size() <= kMaxNamesTold) found_.push_back(NameOfSection());
  return true;
}

absl::Status BdbReader::ReadHeaderLine(std::string_view line) {
  const size_t equals = line.find('=');
  if (equals == std::string_view::npos) return DamageError("expected a header line NAME=VALUE");
  const std::string_view word = line.substr(0, equals);
  if (!section_.words.emplace(word).second) {
    return DamageError(absl::StrCat("found ", Start(word), " a second time in one header"));
  }
  const absl::StatusOr<std::string> refusal = Apply(word, line.substr(equals + 1));
  if (!refusal.ok()) return refusal.status();
  if (!refusal->empty() && section_.refusal.empty()) {
    section_.refusal = absl::StrCat("found ", Start(line), ": ", *refusal);
    section_.refusal_line = input_->line_number();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> BdbReader::Apply(std::string_view word, std::string_view value) {
  if (word == "database" || word == "subdatabase") {
    section_.database = value;
    return "";
  }
  if (word == "format") {
    section_.is_print = value == "print";
    return value == "print" || value == "bytevalue" ? "" : "that format is not known";
  }
  if (word == "type") {
    if (value == "btree" || value == "hash") return "";
    const bool is_numbered = value == "recno" || value == "queue" || value == "heap";
    return is_numbered ? "its records have numbers, not keys" : "that type is not known";
  }
  if (word == "mapsize") section_.is_lmdb = true;
  if (Contains(kIgnored, word)) return "";
  const auto* const refused = std::find_if(
      kRefused.begin(), kRefused.end(), [word](const auto& known) { return known.word == word; });
  if (refused == kRefused.end()) return "that word is not known";
  if (value != "0" && value != "1") {
    return DamageError(
        absl::StrCat("found ", std::string(word), "=", std::string(value), ": expected 0 or 1"));
  }
  return std::string(value == refused->value ? refused->why : "");
}

absl::StatusOr<bool> BdbReader::Choose() {
  if (database_.has_value()) {
    const std::string name = section_.database.value_or("");
    // BerkeleyDB escapes the name, LMDB does not.
    if (name != *database_ && DecodePrint(name) != *database_) return false;
    if (has_loaded_) return Refused(section_.line, "the input has a section of that name before");
  } else if (has_loaded_) {
    return Refused(section_.line,
                   "the input has another section before, and a Cambium database "
                   "holds one; --database NAME picks one");
  }
  if (!section_.refusal.empty()) return Refused(section_.refusal_line, section_.refusal);
  return true;
}

absl::Status BdbReader::SkipSection() {
  std::string_view line;
  for (;;) {
    absl::StatusOr<bool> more = input_->Next(&line);
    if (!more.ok()) return more.status();
    if (!*more) return Early("DATA=END");
    if (line == "DATA=END") return absl::OkStatus();
    if (!line.starts_with(' ')) return DamageError("expected a space before the data");
  }
}

absl::StatusOr<bool> BdbReader::ReadRecord(Record* record) {
  std::string_view line;
  absl::StatusOr<bool> more = input_->Next(&line);
  if (!more.ok()) return more;
  if (!*more) return Early("DATA=END");
  if (line == "DATA=END") return false;
  absl::StatusOr<std::string> key = DecodeLine(line);
  if (!key.ok()) return key.status();
  const uint64_t key_line = input_->line_number();
  if (section_.key == *key) {
    return DamageError(absl::StrCat("found the key of line ", section_.key_line,
                                    " again, but the header does not say duplicates=1"));
  }
  more = input_->Next(&line);
  if (!more.ok()) return more;
  if (!*more) return Early("the value of the last key");
  if (line == "DATA=END") return DamageError("found DATA=END, expected the value of the last key");
  absl::StatusOr<std::string> value = DecodeLine(line);
  if (!value.ok()) return value.status();
  section_.key = *key;
  section_.key_line = key_line;
  *record = {*std::move(key), *std::move(value), key_line};
  return true;
}

absl::StatusOr<std::string> BdbReader::DecodeLine(std::string_view line) const {
  if (!line.starts_with(' ')) return DamageError("expected a space before the data");
  line.remove_prefix(1);
  if (!section_.is_print) {
    std::optional<std::string> bytes = FromHex(line);
    if (bytes.has_value()) return *std::move(bytes);
    return DamageError("expected pairs of hexadecimal digits");
  }
  if (section_.is_lmdb && line.find('\\') != std::string_view::npos) {
    return Refused(input_->line_number(),
                   "found a backslash in a print dump of LMDB, which does not tell its own "
                   "backslashes from those of the data; dump without -p");
  }
  std::optional<std::string> bytes = DecodePrint(line);
  if (bytes.has_value()) return *std::move(bytes);
  return DamageError("found a control character, or a backslash that begins neither \\\\ nor \\NN");
}

absl::Status BdbReader::DamageError(std::string_view what) const {
  return absl::DataLossError(absl::StrCat(input_->Where(), ": ", std::string(what)));
}

absl::Status BdbReader::Early(std::string_view expected) const {
  return DamageError(absl::StrCat("the input ends early: expected ", std::string(expected)));
}

absl::Status BdbReader::Refused(uint64_t line, std::string_view what) const {
  return absl::UnimplementedError(
      absl::StrCat(input_->At(line), ": section ", NameOfSection(), ": ", std::string(what)));
}

std::string BdbReader::NameOfSection() const {
  if (!section_.database.has_value()) return "without a name";
  return absl::StrCat("'", Start(*section_.database), "'");
}

}  // namespace cambium::tool
