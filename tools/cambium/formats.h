// The text formats of load, dump and scan.
//
//   tsv     key TAB value NEWLINE, escaped (text.h)
//   jsonl   {"k":"…","v":"…"}, one a line; "k64" and "v64" in base64 where the bytes are not UTF-8
//   bdb     the text of BerkeleyDB's db_dump and LMDB's mdb_dump:
//
//             VERSION=3
//             format=bytevalue   or print: printable bytes as they are, others as \NN
//             type=btree         further words are accepted and not looked at
//             HEADER=END
//              6b6579                 a space, then the key; the next line: its value
//              76616c7565
//             DATA=END
#ifndef CAMBIUM_TOOLS_CAMBIUM_FORMATS_H_
#define CAMBIUM_TOOLS_CAMBIUM_FORMATS_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tools/cambium/streams.h"

namespace cambium::tool {

enum class Format { kTsv, kJsonl, kBdb, kBdbPrint };

// "tsv", "jsonl", "bdb", "bdb-print".
std::optional<Format> FormatByName(std::string_view name);
std::string_view NameOf(Format format);
// The format that an input beginning with `first_bytes` is in, as far as can be seen.
Format GuessFormat(std::string_view first_bytes);

struct Record {
  std::string key, value;
};

// Reads records, one at a time. Confined to one thread.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // False at the proper end of the input. DataLoss names the line where it is damaged or ends
  // early.
  virtual absl::StatusOr<bool> Next(Record* record) = 0;
};
// `input` outlives the reader.
std::unique_ptr<RecordReader> NewRecordReader(Format format, LineReader* input);

// Which parts of a record are written.
enum class Parts { kKeysAndValues, kKeys };

// Writes records as text. Confined to one thread.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  virtual std::string Begin() const { return ""; }
  virtual std::string Line(std::string_view key, std::string_view value, Parts parts) const = 0;
  virtual std::string End() const { return ""; }
};
std::unique_ptr<RecordWriter> NewRecordWriter(Format format);

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_FORMATS_H_
