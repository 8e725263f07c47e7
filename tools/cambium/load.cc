// The command that loads records.
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/cambium/commands.h"
#include "tools/cambium/exit_code.h"
#include "tools/cambium/formats.h"
#include "tools/cambium/session.h"
#include "tools/cambium/streams.h"

namespace cambium::tool {
namespace {

// Encoded size at which a batch is written.
constexpr size_t kBatchBytes = size_t{256} << 10;

// Writes records in batches. Confined to one thread.
class Loader {
 public:
  Loader(const Session& session, WriteOptions options) : session_(session), options_(options) {}

  // Returns DataLoss if the record exceeds a limit of Cambium; `where` is its place in the input.
  absl::Status Add(const Record& record, const std::string& where) {
    one_.Clear();
    one_.Put(*session_.family, record.key, record.value);
    if (!one_.WithinLimits()) {
      return absl::DataLossError(absl::StrCat(where, ": a key of ", record.key.size(),
                                              " bytes and a value of ", record.value.size(),
                                              " bytes: the limits are 64 KiB and 1 GiB"));
    }
    batch_.Append(one_);
    return batch_.ByteSize() < kBatchBytes ? absl::OkStatus() : Write();
  }
  // Writes the records added since the last batch.
  absl::Status Write() {
    absl::Status status = session_.db->Write(batch_, options_);
    if (status.ok()) count_ += batch_.Count();
    batch_.Clear();
    return status;
  }
  // Returns the number of records that are in the database.
  uint64_t count() const { return count_; }

 private:
  const Session& session_;
  const WriteOptions options_;
  WriteBatch batch_, one_;
  uint64_t count_ = 0;
};

// Loads `record` and all following records. After an error of the input, the records before it are
// written.
absl::Status CopyIn(Record record, RecordReader* reader, const LineReader& input, Loader* loader) {
  Progress progress("load");
  absl::Status status;
  for (;;) {
    const uint64_t written = loader->count();
    status = loader->Add(record, input.At(record.line));
    if (!status.ok()) break;
    if (loader->count() != written) progress.At(loader->count() & ~uint64_t{1023});
    const absl::StatusOr<bool> more = reader->Next(&record);
    status = more.status();
    if (!more.ok() || !*more) break;
  }
  const absl::Status last = loader->Write();
  return last.ok() ? status : last;
}

// Returns the format in the arguments, or the detected format of the input.
absl::StatusOr<Format> FormatOf(const Arguments& arguments, LineReader* input) {
  absl::StatusOr<std::string_view> first = input->Peek();
  if (!first.ok()) return first.status();
  const bool named_tsv = arguments.file.ends_with(".tsv");
  const Format format = FormatOr(arguments, named_tsv ? Format::kTsv : GuessFormat(*first));
  if (arguments.format.empty() && !named_tsv) {
    // The program at the other end of the pipe may have failed.
    if (first->empty()) {
      return absl::DataLossError(absl::StrCat(
          input->name(), ": the input is empty; with --format tsv, that is no records"));
    }
    std::fprintf(stderr, "note: read as %s, by its first bytes\n",
                 std::string(NameOf(format)).c_str());
  }
  if (arguments.database.has_value() && (format == Format::kTsv || format == Format::kJsonl)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--database goes with dumps of other engines: ", std::string(NameOf(format)),
                     " has no sections"));
  }
  return format;
}

}  // namespace

int Load(const Arguments& arguments, Output*) {
  absl::StatusOr<std::unique_ptr<LineReader>> input = LineReader::Open(arguments.file);
  if (!input.ok()) return Fail(input.status());
  const absl::StatusOr<Format> format = FormatOf(arguments, input->get());
  if (!format.ok()) return Fail(format.status());
  const std::unique_ptr<RecordReader> reader =
      NewRecordReader(*format, input->get(), arguments.database);
  // An input that is rejected at once creates no database.
  Record first;
  const absl::StatusOr<bool> any = reader->Next(&first);
  if (!any.ok()) return Fail(any.status());
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kMake, &exit_code);
  if (session.db == nullptr) return exit_code;
  WriteOptions options;
  options.sync = arguments.sync;
  Loader loader(session, options);
  absl::Status status;
  if (*any) status = CopyIn(std::move(first), reader.get(), **input, &loader);
  // Close syncs the data: the reported records are durable.
  const absl::Status closed = session.db->Close();
  std::fprintf(stderr, "%llu records loaded\n", static_cast<unsigned long long>(loader.count()));
  if (!status.ok()) return Fail(status);
  return closed.ok() ? kOk : Fail(closed);
}

}  // namespace cambium::tool
