#include "tools/cambium/formats.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/cambium/text.h"

namespace cambium::tool {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 4> kNames = {{
    {"tsv", Format::kTsv},
    {"jsonl", Format::kJsonl},
    {"bdb", Format::kBdb},
    {"bdb-print", Format::kBdbPrint},
}};

absl::Status Damaged(const LineReader& input, std::string_view what) {
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
    if (tab == std::string_view::npos) return Damaged(*input_, "expected a TAB after the key");
    std::optional<std::string> key = UnescapeTsv(line.substr(0, tab));
    std::optional<std::string> value = UnescapeTsv(line.substr(tab + 1));
    if (line.find('\t', tab + 1) != std::string_view::npos) {
      return Damaged(*input_, "found a second TAB; inside a value it is written \\t");
    }
    if (!key.has_value() || !value.has_value()) {
      return Damaged(*input_, "found a backslash that begins none of \\\\ \\t \\n \\r \\xNN");
    }
    *record = {*std::move(key), *std::move(value)};
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
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object()) return Damaged(*input_, "expected a JSON object");
    std::optional<std::string> key = Field(object, "k", "k64");
    std::optional<std::string> value = Field(object, "v", "v64");
    if (!key.has_value() || !value.has_value() || object.size() != 2) {
      return Damaged(*input_, R"(expected one of "k" and "k64", and one of "v" and "v64")");
    }
    *record = {*std::move(key), *std::move(value)};
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

std::optional<std::string> DecodePrint(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
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

std::string EncodePrint(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    // A backslash goes as \5c, which LMDB and BerkeleyDB both read; LMDB 0.9 misreads \\.
    if (byte >= ' ' && byte <= '~' && byte != '\\') {
      text.push_back(byte);
    } else {
      text += "\\" + ToHex({&byte, 1});
    }
  }
  return text;
}

// Several databases, one section behind the other, are read as one.
class BdbReader final : public RecordReader {
 public:
  explicit BdbReader(LineReader* input) : input_(input) {}

  absl::StatusOr<bool> Next(Record* record) override {
    std::string_view line;
    if (state_ == State::kOutside) {
      absl::StatusOr<bool> more = input_->Next(&line);
      if (!more.ok()) return more;
      if (!*more) return sections_ > 0 ? absl::StatusOr<bool>(false) : Early("VERSION=3");
      if (absl::Status status = ReadHeader(line); !status.ok()) return status;
    }
    absl::StatusOr<bool> more = input_->Next(&line);
    if (!more.ok()) return more;
    if (!*more) return Early("DATA=END");
    if (line == "DATA=END") {
      state_ = State::kOutside;
      ++sections_;
      return Next(record);
    }
    absl::StatusOr<std::string> key = Decode(line);
    if (!key.ok()) return key.status();
    more = input_->Next(&line);
    if (!more.ok()) return more;
    if (!*more) return Early("the value of the last key");
    absl::StatusOr<std::string> value = Decode(line);
    if (!value.ok()) return value.status();
    *record = {*std::move(key), *std::move(value)};
    return true;
  }

 private:
  enum class State { kOutside, kData };

  absl::Status Early(std::string_view expected) const {
    return Damaged(*input_, absl::StrCat("the input ends early: expected ", std::string(expected)));
  }

  absl::Status ReadHeader(std::string_view line) {
    if (line != "VERSION=3") return Damaged(*input_, "expected VERSION=3");
    encoding_ = Encoding::kByteValue;
    for (;;) {
      absl::StatusOr<bool> more = input_->Next(&line);
      if (!more.ok()) return more.status();
      if (!*more) return Early("HEADER=END");
      if (line == "HEADER=END") break;
      if (line.find('=') == std::string_view::npos) {
        return Damaged(*input_, "expected a header line NAME=VALUE");
      }
      if (line == "format=print") encoding_ = Encoding::kPrint;
      if (line == "keys=0") return Damaged(*input_, "found keys=0: the dump holds no keys");
    }
    state_ = State::kData;
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Decode(std::string_view line) const {
    if (!line.starts_with(' ')) return Damaged(*input_, "expected a space before the data");
    line.remove_prefix(1);
    std::optional<std::string> bytes =
        encoding_ == Encoding::kPrint ? DecodePrint(line) : FromHex(line);
    if (bytes.has_value()) return *std::move(bytes);
    return Damaged(*input_, encoding_ == Encoding::kPrint
                                ? "found a backslash that begins neither \\\\ nor \\NN"
                                : "expected pairs of hexadecimal digits");
  }

  LineReader* const input_;
  State state_ = State::kOutside;
  Encoding encoding_ = Encoding::kByteValue;
  int sections_ = 0;
};

class BdbWriter final : public RecordWriter {
 public:
  explicit BdbWriter(Encoding encoding) : encoding_(encoding) {}

  std::string Begin() const override {
    const char* format = encoding_ == Encoding::kPrint ? "print" : "bytevalue";
    return absl::StrCat("VERSION=3\nformat=", format, "\ntype=btree\nHEADER=END\n");
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
  if (first_bytes.starts_with("{")) return Format::kJsonl;
  return Format::kTsv;
}

std::unique_ptr<RecordReader> NewRecordReader(Format format, LineReader* input) {
  switch (format) {
    case Format::kTsv:
      return std::make_unique<TsvReader>(input);
    case Format::kJsonl:
      return std::make_unique<JsonlReader>(input);
    default:
      return std::make_unique<BdbReader>(input);
  }
}

std::unique_ptr<RecordWriter> NewRecordWriter(Format format) {
  switch (format) {
    case Format::kTsv:
      return std::make_unique<TsvWriter>();
    case Format::kJsonl:
      return std::make_unique<JsonlWriter>();
    case Format::kBdb:
      return std::make_unique<BdbWriter>(Encoding::kByteValue);
    default:
      return std::make_unique<BdbWriter>(Encoding::kPrint);
  }
}

}  // namespace cambium::tool
