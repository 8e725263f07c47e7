// The text formats of load, dump and scan.
//
//   tsv     key TAB value NEWLINE, escaped (text.h)
//   jsonl   {"k":"…","v":"…"}, one per line; "k64" and "v64" in base64 if the bytes are not UTF-8
//   bdb     the text of BerkeleyDB's db_dump and LMDB's mdb_dump:
//
//             VERSION=3
//             format=bytevalue   or print: printable bytes as they are, others as \NN
//             type=btree         further words: bdb_reader.h
//             HEADER=END
//              6b6579                 a space, then the key; the next line: its value
//              76616c7565
//             DATA=END
//
//   mdb     bdb with a mapsize= line, which LMDB's mdb_load needs and BerkeleyDB's db_load refuses
#ifndef CAMBIUM_TOOLS_CAMBIUM_FORMATS_H_
#define CAMBIUM_TOOLS_CAMBIUM_FORMATS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tools/cambium/streams.h"

namespace cambium::tool {

enum class Format { kTsv, kJsonl, kBdb, kBdbPrint, kMdb };

inline constexpr std::string_view kFormatNames = "tsv, jsonl, bdb, bdb-print or mdb";
// Returns nullopt if `name` is not a format.
std::optional<Format> FormatByName(std::string_view name);
std::string_view NameOf(Format format);
// Returns the format of an input that begins with `first_bytes`, as far as it can be detected.
Format GuessFormat(std::string_view first_bytes);

struct Record {
  std::string key, value;
  uint64_t line = 0;  // the line of the input on which it begins
};

// Reads records, one at a time. Confined to one thread.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // Returns false at the proper end of the input. An error contains the line: DataLoss if the input
  // is damaged or ends early, Unimplemented if it has something that a Cambium database cannot
  // represent.
  virtual absl::StatusOr<bool> Next(Record* record) = 0;
};
// `input` must outlive the reader. `database` selects a section of a dump; tsv and jsonl have none.
std::unique_ptr<RecordReader> NewRecordReader(
    Format format, LineReader* input, const std::optional<std::string>& database = std::nullopt);

// The parts of a record to write.
enum class Parts { kKeysAndValues, kKeys };

// Writes records as text. Confined to one thread.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  virtual std::string Begin() const { return ""; }
  virtual std::string Line(std::string_view key, std::string_view value, Parts parts) const = 0;
  virtual std::string End() const { return ""; }
};
// `map_bytes` is the value that mdb writes as mapsize= (lmdb_map.h); other formats ignore it.
std::unique_ptr<RecordWriter> NewRecordWriter(Format format, uint64_t map_bytes);

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_FORMATS_H_
