// The commands that move many records: scan, dump, load.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/cambium/commands.h"
#include "tools/cambium/exit_code.h"
#include "tools/cambium/formats.h"
#include "tools/cambium/session.h"
#include "tools/cambium/streams.h"
#include "tools/cambium/text.h"

namespace cambium::tool {
namespace {

// Encoded bytes at which a load's batch is written.
constexpr size_t kBatchBytes = size_t{256} << 10;

absl::StatusOr<Format> FormatOr(const Arguments& arguments, Format otherwise) {
  if (arguments.format.empty()) return otherwise;
  const std::optional<Format> format = FormatByName(arguments.format);
  if (format.has_value()) return *format;
  return absl::InvalidArgumentError(
      absl::StrCat("--format ", arguments.format, ": expected tsv, jsonl, bdb or bdb-print"));
}

// How records become lines of output.
struct Printer {
  std::unique_ptr<RecordWriter> writer;
  Parts parts = Parts::kKeysAndValues;
  bool hex = false;
  bool terminal = false;

  std::string Line(std::string_view key, std::string_view value) const {
    std::string line =
        hex ? (parts == Parts::kKeys ? ToHex(key) : ToHex(key) + "\t" + ToHex(value)) + "\n"
            : writer->Line(key, value, parts);
    if (!terminal) return line;
    // The separators are ours; everything else must not drive the terminal.
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

// Prints what the range holds, in either direction, until `limit` or until nobody reads any more.
absl::Status PrintRecords(DB* db, const Arguments& arguments, const ReadOptions& options,
                          std::pair<const Printer*, Output*> to) {
  Progress progress("scan");
  const auto& [printer, output] = to;
  const std::unique_ptr<Iterator> iterator = db->NewIterator(options);
  uint64_t count = 0;
  if (arguments.reverse) {
    iterator->SeekToLast();
  } else {
    iterator->SeekToFirst();
  }
  while (iterator->Valid() && count < arguments.limit && output->wanted()) {
    output->Write(printer->Line(iterator->key(), iterator->value()));
    progress.At(++count);
    if (arguments.reverse) {
      iterator->Prev();
    } else {
      iterator->Next();
    }
  }
  return iterator->status();
}

int PrintRange(const Arguments& arguments, Printer printer, const std::string& file) {
  const absl::StatusOr<ReadOptions> options = Range(arguments);
  if (!options.ok()) return Fail(options.status());
  int exit_code = kOk;
  const std::unique_ptr<DB> db = OpenOrFail(arguments, Access::kLook, &exit_code);
  if (db == nullptr) return exit_code;
  absl::StatusOr<std::unique_ptr<Output>> output = Output::Open(file);
  if (!output.ok()) return Fail(output.status());
  printer.terminal = (*output)->IsTerminal();
  if (!printer.hex) (*output)->Write(printer.writer->Begin());
  const absl::Status status =
      PrintRecords(db.get(), arguments, *options, {&printer, output->get()});
  // A dump that stopped short must not look whole.
  if (status.ok() && !printer.hex) (*output)->Write(printer.writer->End());
  const absl::Status closed = (*output)->Close();
  if (!status.ok()) return Fail(status);
  return closed.ok() ? kOk : Fail(closed);
}

// Reads records and writes them in batches; `*count` of them are in the database, whatever the
// outcome.
absl::Status CopyIn(RecordReader* reader, DB* db, const WriteOptions& options, uint64_t* count) {
  Progress progress("load");
  WriteBatch batch;
  const auto write = [&]() -> absl::Status {
    absl::Status status = db->Write(batch, options);
    if (status.ok()) *count += batch.Count();
    batch.Clear();
    return status;
  };
  for (;;) {
    Record record;
    absl::StatusOr<bool> more = reader->Next(&record);
    if (!more.ok()) {
      const absl::Status written = write();
      return written.ok() ? more.status() : written;
    }
    if (!*more) return write();
    batch.Put(record.key, record.value);
    if (batch.ByteSize() < kBatchBytes) continue;
    if (absl::Status status = write(); !status.ok()) return status;
    progress.At(*count & ~uint64_t{1023});
  }
}

}  // namespace

int Scan(const Arguments& arguments) {
  const absl::StatusOr<Format> format = FormatOr(arguments, Format::kTsv);
  if (!format.ok()) return Fail(format.status());
  Printer printer;
  printer.writer = NewRecordWriter(*format);
  printer.parts = arguments.keys_only ? Parts::kKeys : Parts::kKeysAndValues;
  printer.hex = arguments.hex;
  if (arguments.hex && !arguments.format.empty()) {
    return Fail(kUsage, "--hex goes with no --format: it prints hexadecimal, separated by TAB");
  }
  if (arguments.keys_only && (*format == Format::kBdb || *format == Format::kBdbPrint)) {
    return Fail(kUsage, "--keys-only goes with tsv and jsonl: a bdb dump holds values");
  }
  return PrintRange(arguments, std::move(printer), "-");
}

int Dump(const Arguments& arguments) {
  const absl::StatusOr<Format> format = FormatOr(arguments, Format::kBdb);
  if (!format.ok()) return Fail(format.status());
  Printer printer;
  printer.writer = NewRecordWriter(*format);
  return PrintRange(arguments, std::move(printer), arguments.file);
}

int Load(const Arguments& arguments) {
  absl::StatusOr<std::unique_ptr<LineReader>> input = LineReader::Open(arguments.file);
  if (!input.ok()) return Fail(input.status());
  absl::StatusOr<std::string_view> first = (*input)->Peek();
  if (!first.ok()) return Fail(first.status());
  const bool named_tsv = arguments.file.ends_with(".tsv");
  const Format guess = named_tsv ? Format::kTsv : GuessFormat(*first);
  const absl::StatusOr<Format> format = FormatOr(arguments, guess);
  if (!format.ok()) return Fail(format.status());
  if (arguments.format.empty() && !named_tsv) {
    std::fprintf(stderr, "note: read as %s, by its first bytes\n",
                 std::string(NameOf(*format)).c_str());
  }
  int exit_code = kOk;
  const std::unique_ptr<DB> db = OpenOrFail(arguments, Access::kMake, &exit_code);
  if (db == nullptr) return exit_code;
  WriteOptions options;
  options.sync = arguments.sync;
  uint64_t count = 0;
  const std::unique_ptr<RecordReader> reader = NewRecordReader(*format, input->get());
  const absl::Status status = CopyIn(reader.get(), db.get(), options, &count);
  // Synced by Close: what is told is durable.
  const absl::Status closed = db->Close();
  std::fprintf(stderr, "%llu records loaded\n", static_cast<unsigned long long>(count));
  if (!status.ok()) return Fail(status);
  return closed.ok() ? kOk : Fail(closed);
}

}  // namespace cambium::tool
