#include "tools/cambium/session.h"

#include <unistd.h>

#include <cassert>
#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/cambium/exit_code.h"
#include "tools/cambium/text.h"

namespace cambium::tool {
namespace {

constexpr uint64_t kCountsBetweenLooks = 1024;

double Seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Returns the first key after all keys that begin with `prefix`; nullopt if there is none.
std::optional<std::string> AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace

std::unique_ptr<DB> OpenOrFail(const Arguments& arguments, Access access, int* exit_code) {
  Options options;
  options.create_if_missing = access == Access::kMake;
  options.read_only = access == Access::kLook;
  options.merge_operator = OperatorByName(arguments.merge_operator);
  absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(options, arguments.db);
  if (db.ok()) return *std::move(db);
  if (absl::IsInvalidArgument(db.status())) {
    // Only the order of the keys or the merge operator may differ from the stored one.
    *exit_code = Fail(kUnsupported, std::string(db.status().message()));
  } else {
    *exit_code = Fail(db.status());
  }
  return nullptr;
}

std::shared_ptr<const MergeOperator> OperatorByName(std::string_view name) {
  constexpr std::string_view kAppend = "append:";
  if (name == "int64add") return Int64AddOperator();
  if (name == "max") return MaxOperator();
  if (name == "min") return MinOperator();
  if (name.starts_with(kAppend)) return AppendOperator(std::string(name.substr(kAppend.size())));
  return nullptr;
}

Session OpenFamilyOrFail(const Arguments& arguments, Access access, int* exit_code) {
  Session session;
  // A database that is created now has the default family only.
  const bool may_make = arguments.family == Arguments().family;
  if (access == Access::kMake && !may_make) access = Access::kChange;
  session.db = OpenOrFail(arguments, access, exit_code);
  if (session.db == nullptr) return session;
  absl::StatusOr<std::shared_ptr<ColumnFamily>> family =
      session.db->GetColumnFamily(arguments.family);
  if (family.ok()) {
    session.family = *std::move(family);
  } else {
    *exit_code = Fail(family.status());
    session.db = nullptr;
  }
  return session;
}

int Finish(DB* db, const absl::Status& status) {
  const absl::Status closed = db->Close();
  if (!status.ok()) return Fail(status);
  return closed.ok() ? kOk : Fail(closed);
}

Format FormatOr(const Arguments& arguments, Format otherwise) {
  if (arguments.format.empty()) return otherwise;
  const std::optional<Format> format = FormatByName(arguments.format);
  assert(format.has_value());  // the parser rejects all others
  return *format;
}

absl::StatusOr<std::string> Decode(const Arguments& arguments, const std::string& text) {
  if (!arguments.hex) return text;
  std::optional<std::string> bytes = FromHex(text);
  if (bytes.has_value()) return *std::move(bytes);
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "': expected pairs of hexadecimal digits after --hex"));
}

absl::StatusOr<ReadOptions> Range(const Arguments& arguments) {
  ReadOptions options;
  options.fill_cache = false;
  if (arguments.has_prefix && (arguments.has_from || arguments.has_to)) {
    return absl::InvalidArgumentError("--prefix goes with neither --from nor --to");
  }
  const auto bound = [&](bool given, const std::string& text,
                         std::optional<std::string>* out) -> absl::Status {
    if (!given) return absl::OkStatus();
    absl::StatusOr<std::string> bytes = Decode(arguments, text);
    if (!bytes.ok()) return bytes.status();
    *out = *std::move(bytes);
    return absl::OkStatus();
  };
  absl::Status status = bound(arguments.has_from, arguments.from, &options.lower_bound);
  if (status.ok()) status = bound(arguments.has_to, arguments.to, &options.upper_bound);
  if (status.ok()) status = bound(arguments.has_prefix, arguments.prefix, &options.lower_bound);
  if (!status.ok()) return status;
  if (arguments.has_prefix) options.upper_bound = AfterPrefix(*options.lower_bound);
  return options;
}

Progress::Progress(std::string what)
    : what_(std::move(what)),
      terminal_(::isatty(STDERR_FILENO) != 0),
      started_(Seconds()),
      next_(started_ + 2) {}

Progress::~Progress() {
  if (printed_) std::fputc('\n', stderr);
}

void Progress::At(uint64_t count) {
  if (!terminal_ || count % kCountsBetweenLooks != 0) return;
  const double now = Seconds();
  if (now < next_) return;
  next_ = now + 1;
  printed_ = true;
  std::fprintf(stderr, "\r%s: %llu records, %.0f a second", what_.c_str(),
               static_cast<unsigned long long>(count),
               static_cast<double>(count) / (now - started_));
  std::fflush(stderr);
}

}  // namespace cambium::tool
