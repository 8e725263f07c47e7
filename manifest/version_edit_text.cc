// The text form of VersionEdit.
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "manifest/version_edit.h"
#include "util/absl_view.h"

namespace cambium::manifest {
namespace {

std::string Quoted(std::string_view bytes) {
  return absl::StrCat("\"", absl::CHexEscape(ToAbsl(bytes)), "\"");
}

std::string FamilyText(const FamilyEdit& family) {
  std::string text;
  if (family.change == FamilyChange::kAdd) {
    absl::StrAppend(&text, "  new-family ", Quoted(family.name), "\n");
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

std::string DebugString(const FileMetadata& file) {
  std::string text = absl::StrCat("file ", ToInteger(file.number));
  if (file.physical_number != file.number) {
    absl::StrAppend(&text, " physical ", ToInteger(file.physical_number));
  }
  absl::StrAppend(&text, " size ", file.file_size, " keys ", Quoted(file.smallest_key), "..",
                  Quoted(file.largest_key), " seqs ", file.smallest_sequence, "..",
                  file.largest_sequence);
  if (file.entries != 0) absl::StrAppend(&text, " entries ", file.entries);
  if (file.tombstones != 0) absl::StrAppend(&text, " tombstones ", file.tombstones);
  if (file.raw_bytes != 0) absl::StrAppend(&text, " raw ", file.raw_bytes);
  if (file.digest != 0) absl::StrAppend(&text, " digest ", absl::Hex(file.digest));
  if (file.quarantined()) absl::StrAppend(&text, " damage ", Quoted(file.damage));
  return text;
}

std::string VersionEdit::DebugString() const {
  std::string text;
  if (comparator_name) absl::StrAppend(&text, "comparator ", Quoted(*comparator_name), "\n");
  if (database_id) {
    const std::string id(database_id->begin(), database_id->end());
    absl::StrAppend(&text, "database ", absl::BytesToHexString(id), "\n");
  }
  if (next_file_number) absl::StrAppend(&text, "next-file ", *next_file_number, "\n");
  if (last_sequence) absl::StrAppend(&text, "last-sequence ", *last_sequence, "\n");
  if (log_number) absl::StrAppend(&text, "log ", ToInteger(*log_number), "\n");
  for (const auto& [id, family] : families) {
    absl::StrAppend(&text, "family ", id, "\n", FamilyText(family));
  }
  return text;
}

}  // namespace cambium::manifest
