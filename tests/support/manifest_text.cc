#include "tests/support/manifest_text.h"

#include <charconv>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "util/absl_view.h"

namespace cambium::manifest {
namespace {

// One line, read from left to right; the first thing out of place is remembered. Confined to its
// scope.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) { SkipSpaces(); }

  bool ok() const { return ok_; }
  bool AtEnd() const { return rest_.empty(); }

  // The letters and dashes here.
  std::string_view Word() {
    size_t size = 0;
    while (size < rest_.size() && (IsLower(rest_[size]) || rest_[size] == '-')) ++size;
    return Take(size, size > 0);
  }

  // Accepts `text` if it is next in the input.
  bool Accept(std::string_view text) {
    if (rest_.substr(0, text.size()) != text) return false;
    Take(text.size(), true);
    return true;
  }
  void Expect(std::string_view text) {
    if (!Accept(text)) ok_ = false;
  }

  uint64_t Number(int base = 10) {
    uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    Take(static_cast<size_t>(end - rest_.data()), error == std::errc());
    return value;
  }

  int Level() {
    Expect("L");
    const uint64_t level = Number();
    if (level >= kLevelCount) ok_ = false;
    return ok_ ? static_cast<int>(level) : 0;
  }

  std::string String() {
    std::string out;
    Expect("\"");
    while (ok_ && !Accept("\"")) {
      if (rest_.empty()) {
        ok_ = false;
      } else if (rest_[0] != '\\') {
        out.push_back(rest_[0]);
        rest_.remove_prefix(1);
      } else {
        out.push_back(Escaped());
      }
    }
    return out;
  }

  DatabaseId Id() {
    DatabaseId id{};
    for (uint8_t& byte : id) byte = HexByte();
    SkipSpaces();
    return id;
  }

 private:
  static bool IsLower(char c) { return c >= 'a' && c <= 'z'; }

  char Escaped() {
    rest_.remove_prefix(1);
    if (rest_.empty()) return ok_ = false, '\0';
    const char c = rest_[0];
    rest_.remove_prefix(1);
    switch (c) {
      case 'x':
        return static_cast<char>(HexByte());
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      default:
        return c;
    }
  }

  uint8_t HexByte() {
    uint8_t value = 0;
    const char* const digits = rest_.data();
    const size_t size = rest_.size() < 2 ? rest_.size() : 2;
    const auto [end, error] = std::from_chars(digits, digits + size, value, 16);
    if (error != std::errc() || end != digits + 2) return ok_ = false, uint8_t{0};
    rest_.remove_prefix(2);
    return value;
  }

  std::string_view Take(size_t size, bool good) {
    if (!good) ok_ = false;
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    SkipSpaces();
    return taken;
  }

  void SkipSpaces() {
    while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
  }

  std::string_view rest_;
  bool ok_ = true;
};

void ParseFileAttribute(std::string_view word, LineReader* line, FileMetadata* file) {
  if (word == "physical") {
    file->physical_number = FileNumber{line->Number()};
  } else if (word == "size") {
    file->file_size = line->Number();
  } else if (word == "keys") {
    file->smallest_key = line->String();
    line->Expect("..");
    file->largest_key = line->String();
  } else if (word == "seqs") {
    file->smallest_sequence = line->Number();
    line->Expect("..");
    file->largest_sequence = line->Number();
  } else if (word == "entries") {
    file->entries = line->Number();
  } else if (word == "tombstones") {
    file->tombstones = line->Number();
  } else if (word == "expiring") {
    file->expiring.count = line->Number();
    line->Expect("at");
    file->expiring.oldest_micros = line->Number();
    line->Expect("..");
    file->expiring.newest_micros = line->Number();
  } else if (word == "range-deletes") {
    file->range_deletes.count = line->Number();
  } else if (word == "covers") {
    file->range_deletes.covered_bytes = line->Number();
  } else if (word == "largest-exclusive") {
    file->largest_exclusive = true;
  } else if (word == "raw") {
    file->raw_bytes = line->Number();
  } else if (word == "digest") {
    file->digest = line->Number(16);
  } else {
    line->Expect("an attribute of a file");
  }
}

AddedFile ParseAddition(LineReader* line) {
  AddedFile added;
  added.level = line->Level();
  if (line->Accept("run")) added.run = line->Number();
  line->Expect("file");
  added.file.number = added.file.physical_number = FileNumber{line->Number()};
  while (line->ok() && !line->AtEnd()) ParseFileAttribute(line->Word(), line, &added.file);
  return added;
}

// Braced initialisers are evaluated from left to right.
void ParseFamilyLine(std::string_view word, LineReader* line, FamilyEdit* family) {
  if (word == "new-family") {
    family->change = FamilyChange::kAdd;
    family->name = line->String();
  } else if (word == "drop-family") {
    family->change = FamilyChange::kDrop;
  } else if (word == "merge-operator") {
    family->merge_operator_name = line->String();
  } else if (word == "flushed") {
    family->flushed_sequence = line->Number();
  } else if (word == "delete") {
    family->deleted.push_back({line->Level(), FileNumber{line->Number()}});
  } else if (word == "add") {
    family->added.push_back(ParseAddition(line));
  } else if (word == "quarantine") {
    family->quarantined.push_back({line->Level(), FileNumber{line->Number()}, line->String()});
  } else {
    line->Expect("a field of an edit");
  }
}

void ParseLine(LineReader* line, VersionEdit* edit, ColumnFamilyId* family) {
  if (line->AtEnd()) return;
  const std::string_view word = line->Word();
  if (word == "comparator") {
    edit->comparator_name = line->String();
  } else if (word == "database") {
    edit->database_id = line->Id();
  } else if (word == "next-file") {
    edit->next_file_number = line->Number();
  } else if (word == "last-sequence") {
    edit->last_sequence = line->Number();
  } else if (word == "log") {
    edit->log_number = FileNumber{line->Number()};
  } else if (word == "log-reach") {
    const uint64_t segment = line->Number();
    edit->log_reach = wal::LogPosition{segment, line->Number()};
  } else if (word == "session-start") {
    edit->session_start = line->Number();
  } else if (word == "wall-micros") {
    edit->wall_micros = line->Number();
  } else if (word == "family") {
    *family = static_cast<ColumnFamilyId>(line->Number());
    edit->Family(*family);
  } else {
    ParseFamilyLine(word, line, &edit->Family(*family));
  }
}

std::string Quoted(std::string_view bytes) {
  return absl::StrCat("\"", absl::CHexEscape(ToAbsl(bytes)), "\"");
}

std::string FamilyText(const FamilyEdit& family) {
  std::string text;
  if (family.change == FamilyChange::kAdd) {
    absl::StrAppend(&text, "  new-family ", Quoted(family.name), "\n");
  }
  if (family.merge_operator_name) {
    absl::StrAppend(&text, "  merge-operator ", Quoted(*family.merge_operator_name), "\n");
  }
  if (family.flushed_sequence) {
    absl::StrAppend(&text, "  flushed ", *family.flushed_sequence, "\n");
  }
  for (const DeletedFile& file : family.deleted) {
    absl::StrAppend(&text, "  delete L", file.level, " ", ToInteger(file.number), "\n");
  }
  for (const AddedFile& added : family.added) {
    absl::StrAppend(&text, "  add L", added.level, " run ", added.run, " ", DebugString(added.file),
                    "\n");
  }
  for (const QuarantinedFile& file : family.quarantined) {
    absl::StrAppend(&text, "  quarantine L", file.level, " ", ToInteger(file.number), " ",
                    Quoted(file.reason), "\n");
  }
  if (family.change == FamilyChange::kDrop) text.append("  drop-family\n");
  return text;
}

}  // namespace

std::string DebugString(const VersionEdit& edit) {
  std::string text;
  if (edit.comparator_name)
    absl::StrAppend(&text, "comparator ", Quoted(*edit.comparator_name), "\n");
  if (edit.database_id) {
    const std::string id(edit.database_id->begin(), edit.database_id->end());
    absl::StrAppend(&text, "database ", absl::BytesToHexString(id), "\n");
  }
  if (edit.next_file_number) absl::StrAppend(&text, "next-file ", *edit.next_file_number, "\n");
  if (edit.last_sequence) absl::StrAppend(&text, "last-sequence ", *edit.last_sequence, "\n");
  if (edit.log_number) absl::StrAppend(&text, "log ", ToInteger(*edit.log_number), "\n");
  if (edit.log_reach) {
    absl::StrAppend(&text, "log-reach ", edit.log_reach->segment, " ", edit.log_reach->offset,
                    "\n");
  }
  if (edit.session_start) absl::StrAppend(&text, "session-start ", *edit.session_start, "\n");
  if (edit.wall_micros) absl::StrAppend(&text, "wall-micros ", *edit.wall_micros, "\n");
  for (const auto& [id, family] : edit.families) {
    absl::StrAppend(&text, "family ", id, "\n", FamilyText(family));
  }
  return text;
}

std::string DebugString(const Version& version) {
  std::string text;
  for (int level = 0; level < kLevelCount; ++level) {
    for (const Run& run : version.runs(level)) {
      absl::StrAppend(&text, "L", level, " run ", run.id, " bytes ", run.bytes, "\n");
      for (const FileRef& file : run.files) {
        absl::StrAppend(&text, "  ", DebugString(*file), "\n");
      }
    }
  }
  return text;
}

absl::StatusOr<VersionEdit> ParseVersionEdit(std::string_view text) {
  VersionEdit edit;
  ColumnFamilyId family = 0;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t size = text.find('\n');
    const std::string_view content = text.substr(0, size);
    text.remove_prefix(size == std::string_view::npos ? text.size() : size + 1);
    LineReader line(content);
    ParseLine(&line, &edit, &family);
    if (!line.ok() || !line.AtEnd()) {
      return absl::InvalidArgumentError(
          absl::StrCat("version edit: line ", number, ": cannot read '", ToAbsl(content), "'"));
    }
  }
  return edit;
}

}  // namespace cambium::manifest
