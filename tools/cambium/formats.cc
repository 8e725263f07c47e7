#include "tools/cambium/formats.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/cambium/bdb_reader.h"
#include "tools/cambium/text.h"

namespace cambium::tool {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 5> kNames = {{
    {"tsv", Format::kTsv},
    {"jsonl", Format::kJsonl},
    {"bdb", Format::kBdb},
    {"bdb-print", Format::kBdbPrint},
    {"mdb", Format::kMdb},
}};

absl::Status DamageError(const LineReader& input, std::string_view what) {
  return absl::DataLossError(absl::StrCat(input.Where(), ": ", std::string(what)));
}

// --- tsv ----------------------------------------------------------------------------------------

class TsvReader final : public RecordReader {
 public:
  explicit TsvReader(LineReader* input) : input_(input) {}

  absl::StatusOr<bool> Next(Record* record) override {
    std::string_view line;
    absl::StatusOr<bool> more = input_->Next(&line);
    if (!more.ok() || !*more) return more;
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos) return DamageError(*input_, "expected a TAB after the key");
    std::optional<std::string> key = UnescapeTsv(line.substr(0, tab));
    std::optional<std::string> value = UnescapeTsv(line.substr(tab + 1));
    // The input was written with CR LF line ends; a CR that is part of a value is written as \r.
    if (line.ends_with('\r')) return DamageError(*input_, "found a CR at the end of the line");
    if (line.find('\t', tab + 1) != std::string_view::npos) {
      return DamageError(*input_, "found a second TAB; inside a value it is written \\t");
    }
    if (!key.has_value() || !value.has_value()) {
      return DamageError(*input_, "found a backslash that begins none of \\\\ \\t \\n \\r \\xNN");
    }
    *record = {*std::move(key), *std::move(value), input_->line_number()};
    return true;
  }

 private:
  LineReader* const input_;
};

class TsvWriter final : public RecordWriter {
 public:
  std::string Line(std::string_view key, std::string_view value, Parts parts) const override {
    if (parts == Parts::kKeys) return EscapeTsv(key) + "\n";
    return EscapeTsv(key) + "\t" + EscapeTsv(value) + "\n";
  }
};

// --- jsonl --------------------------------------------------------------------------------------

class JsonlReader final : public RecordReader {
 public:
  explicit JsonlReader(LineReader* input) : input_(input) {}

  absl::StatusOr<bool> Next(Record* record) override {
    std::string_view line;
    absl::StatusOr<bool> more = input_->Next(&line);
    if (!more.ok() || !*more) return more;
    // A parsed object keeps only one of several fields with the same name.
    int fields = 0;
    const auto count = [&fields](int, nlohmann::json::parse_event_t event, nlohmann::json&) {
      if (event == nlohmann::json::parse_event_t::key) ++fields;
      return true;
    };
    const nlohmann::json object = nlohmann::json::parse(line, count, false);
    if (!object.is_object()) return DamageError(*input_, "expected a JSON object");
    std::optional<std::string> key = Field(object, "k", "k64");
    std::optional<std::string> value = Field(object, "v", "v64");
    if (!key.has_value() || !value.has_value() || fields != 2) {
      return DamageError(*input_, R"(expected one of "k" and "k64", and one of "v" and "v64")");
    }
    *record = {*std::move(key), *std::move(value), input_->line_number()};
    return true;
  }

 private:
  static std::optional<std::string> Field(const nlohmann::json& object, const char* text,
                                          const char* base64) {
    if (const auto found = object.find(text); found != object.end() && found->is_string()) {
      return found->get<std::string>();
    }
    if (const auto found = object.find(base64); found != object.end() && found->is_string()) {
      return FromBase64(found->get<std::string>());
    }
    return std::nullopt;
  }

  LineReader* const input_;
};

class JsonlWriter final : public RecordWriter {
 public:
  std::string Line(std::string_view key, std::string_view value, Parts parts) const override {
    std::string line = "{" + Field("k", key);
    if (parts == Parts::kKeysAndValues) line += "," + Field("v", value);
    return line + "}\n";
  }

 private:
  static std::string Field(std::string_view name, std::string_view bytes) {
    const std::string quoted(name);
    if (!IsUtf8(bytes)) return "\"" + quoted + "64\":\"" + ToBase64(bytes) + "\"";
    return "\"" + quoted + "\":" + nlohmann::json(std::string(bytes)).dump();
  }
};

// --- bdb ----------------------------------------------------------------------------------------

enum class Encoding { kByteValue, kPrint };

std::string EncodePrint(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    // A backslash is written as \5c, which both LMDB and BerkeleyDB read; LMDB 0.9 misreads \\.
    if (byte >= ' ' && byte <= '~' && byte != '\\') {
      text.push_back(byte);
    } else {
      text += "\\" + ToHex({&byte, 1});
    }
  }
  return text;
}

class BdbWriter final : public RecordWriter {
 public:
  // Writes a mapsize= line if `map_bytes` is not 0: BerkeleyDB rejects that word.
  explicit BdbWriter(Encoding encoding, uint64_t map_bytes = 0)
      : encoding_(encoding), map_bytes_(map_bytes) {}

  std::string Begin() const override {
    const char* format = encoding_ == Encoding::kPrint ? "print" : "bytevalue";
    const std::string map = map_bytes_ > 0 ? absl::StrCat("mapsize=", map_bytes_, "\n") : "";
    return absl::StrCat("VERSION=3\nformat=", format, "\ntype=btree\n", map, "HEADER=END\n");
  }
  std::string Line(std::string_view key, std::string_view value, Parts parts) const override {
    if (parts == Parts::kKeys) return " " + Encode(key) + "\n";
    return " " + Encode(key) + "\n " + Encode(value) + "\n";
  }
  std::string End() const override { return "DATA=END\n"; }

 private:
  std::string Encode(std::string_view bytes) const {
    return encoding_ == Encoding::kPrint ? EncodePrint(bytes) : ToHex(bytes);
  }

  const Encoding encoding_;
  const uint64_t map_bytes_;
};

}  // namespace

std::optional<Format> FormatByName(std::string_view name) {
  for (const auto& [known, format] : kNames) {
    if (known == name) return format;
  }
  return std::nullopt;
}

std::string_view NameOf(Format format) {
  for (const auto& [name, known] : kNames) {
    if (known == format) return name;
  }
  return "";
}

Format GuessFormat(std::string_view first_bytes) {
  if (first_bytes.starts_with("VERSION=")) return Format::kBdb;
  // JSON may begin with spaces; tsv that begins with spaces and { is then rejected, not misread.
  const size_t start = first_bytes.find_first_not_of(" \t\r\n");
  if (first_bytes.substr(std::min(start, first_bytes.size())).starts_with('{')) {
    return Format::kJsonl;
  }
  return Format::kTsv;
}

std::unique_ptr<RecordReader> NewRecordReader(Format format, LineReader* input,
                                              const std::optional<std::string>& database) {
  switch (format) {
    case Format::kTsv:
      return std::make_unique<TsvReader>(input);
    case Format::kJsonl:
      return std::make_unique<JsonlReader>(input);
    default:
      return std::make_unique<BdbReader>(input, database);
  }
}

std::unique_ptr<RecordWriter> NewRecordWriter(Format format, uint64_t map_bytes) {
  switch (format) {
    case Format::kTsv:
      return std::make_unique<TsvWriter>();
    case Format::kJsonl:
      return std::make_unique<JsonlWriter>();
    case Format::kBdb:
      return std::make_unique<BdbWriter>(Encoding::kByteValue);
    case Format::kBdbPrint:
      return std::make_unique<BdbWriter>(Encoding::kPrint);
    default:
      return std::make_unique<BdbWriter>(Encoding::kByteValue, map_bytes);
  }
}

}  // namespace cambium::tool
