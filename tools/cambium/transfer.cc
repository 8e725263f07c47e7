// The commands that print many records: scan and dump.
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tools/cambium/commands.h"
#include "tools/cambium/exit_code.h"
#include "tools/cambium/formats.h"
#include "tools/cambium/lmdb_map.h"
#include "tools/cambium/session.h"
#include "tools/cambium/streams.h"
#include "tools/cambium/text.h"

namespace cambium::tool {
namespace {

// How records are printed.
struct Printer {
  Format format = Format::kTsv;
  std::unique_ptr<RecordWriter> writer;
  Parts parts = Parts::kKeysAndValues;
  bool hex = false;
  bool terminal = false;

  std::string Line(std::string_view key, std::string_view value) const {
    std::string line =
        hex ? (parts == Parts::kKeys ? ToHex(key) : ToHex(key) + "\t" + ToHex(value)) + "\n"
            : writer->Line(key, value, parts);
    if (!terminal) return line;
    // The separators are trusted; all other bytes must not control the terminal.
    std::string safe;
    for (std::string_view rest = line; !rest.empty();) {
      const size_t stop = rest.find_first_of("\t\n");
      safe += EscapeForTerminal(rest.substr(0, stop));
      if (stop == std::string_view::npos) break;
      safe += rest[stop];
      rest.remove_prefix(stop + 1);
    }
    return safe;
  }
};

// Calls `visit` with the records of the range, in either direction, until `limit` or until it
// returns false. Two calls on a database opened read-only visit the same records.
template <typename Visit>
absl::Status ForEach(const Session& session, const Arguments& arguments, const ReadOptions& options,
                     Visit visit) {
  const std::unique_ptr<Iterator> iterator = session.db->NewIterator(*session.family, options);
  uint64_t count = 0;
  if (arguments.reverse) {
    iterator->SeekToLast();
  } else {
    iterator->SeekToFirst();
  }
  while (iterator->Valid() && count++ < arguments.limit) {
    if (!visit(iterator->key(), iterator->value())) break;
    if (arguments.reverse) {
      iterator->Prev();
    } else {
      iterator->Next();
    }
  }
  return iterator->status();
}

// Returns the size of LMDB's map for the printed records.
absl::StatusOr<uint64_t> MapBytes(const Session& session, const Arguments& arguments,
                                  const ReadOptions& options) {
  LmdbMap map;
  absl::Status refused;
  const absl::Status read = ForEach(session, arguments, options, [&](auto key, auto value) {
    refused = map.Add(key, value);
    return refused.ok();
  });
  if (!read.ok()) return read;
  if (!refused.ok()) return refused;
  return map.Bytes();
}

// Prints the range's records in `format`.
absl::Status PrintRecords(const Session& session, const Arguments& arguments, Printer printer,
                          Output* output) {
  const absl::StatusOr<ReadOptions> options = Range(arguments);
  if (!options.ok()) return options.status();
  uint64_t map_bytes = 0;
  if (printer.format == Format::kMdb) {
    absl::StatusOr<uint64_t> bytes = MapBytes(session, arguments, *options);
    if (!bytes.ok()) return bytes.status();
    map_bytes = *bytes;
  }
  printer.writer = NewRecordWriter(printer.format, map_bytes);
  printer.terminal = output->IsTerminal();
  if (!printer.hex) output->Write(printer.writer->Begin());
  Progress progress("scan");
  uint64_t count = 0;
  absl::Status read = ForEach(session, arguments, *options, [&](auto key, auto value) {
    output->Write(printer.Line(key, value));
    progress.At(++count);
    return output->wanted();
  });
  // An incomplete dump must not look complete.
  if (read.ok() && !printer.hex) output->Write(printer.writer->End());
  return read;
}

}  // namespace

int Scan(const Arguments& arguments, Output* out) {
  const Format format = FormatOr(arguments, Format::kTsv);
  if (arguments.hex && !arguments.format.empty()) {
    return Fail(kUsage, "--hex goes with no --format: it prints hexadecimal, separated by TAB");
  }
  if (arguments.keys_only && format != Format::kTsv && format != Format::kJsonl) {
    return Fail(kUsage,
                "--keys-only goes with tsv and jsonl: a dump for other engines holds values");
  }
  // Checked before anything is opened, so that a usage error is reported as one.
  if (const absl::Status range = Range(arguments).status(); !range.ok()) return Fail(range);
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kLook, &exit_code);
  if (session.db == nullptr) return exit_code;
  Printer printer;
  printer.format = format;
  printer.parts = arguments.keys_only ? Parts::kKeys : Parts::kKeysAndValues;
  printer.hex = arguments.hex;
  return Finish(session.db.get(), PrintRecords(session, arguments, std::move(printer), out));
}

int Dump(const Arguments& arguments, Output* out) {
  const Format format = FormatOr(arguments, Format::kBdb);
  // Writing the output may replace a file of the database.
  if (IsIn(arguments.file, arguments.db)) {
    return Fail(kUsage, absl::StrCat(arguments.file, " is in the directory of the database"));
  }
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kLook, &exit_code);
  if (session.db == nullptr) return exit_code;
  Printer printer;
  printer.format = format;
  if (IsStandardStream(arguments.file)) {
    return Finish(session.db.get(), PrintRecords(session, arguments, std::move(printer), out));
  }
  absl::StatusOr<std::unique_ptr<Output>> file = Output::Open(arguments.file);
  if (!file.ok()) return Fail(file.status());
  absl::Status status = PrintRecords(session, arguments, std::move(printer), file->get());
  // Without Close, the previous file stays.
  if (status.ok()) status = (*file)->Close();
  return Finish(session.db.get(), status);
}

}  // namespace cambium::tool
