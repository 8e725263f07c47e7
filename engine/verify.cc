#include "engine/verify.h"

#include <string>
#include <vector>

#include "base/batch_codec.h"
#include "base/file_names.h"
#include "manifest/recovery.h"
#include "sstable/table_reader.h"
#include "util/status_macros.h"
#include "wal/log_reader.h"

namespace cambium::engine {
namespace {

absl::Status VerifyTables(Context* context, const ReadView& view) {
  for (const RunView& run : view.tables->runs) {
    for (const LiveTableRef& table : run.tables) {
      const absl::StatusOr<const sstable::TableReader*> reader = table->table().reader();
      const absl::Status status =
          reader.ok() ? (*reader)->Verify(table->file().digest) : reader.status();
      if (status.ok()) continue;
      if (absl::IsDataLoss(status)) {
        context->errors.NoteDamage(status, TablePath(context->path, table->file().number));
      }
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBatch(std::string_view payload) {
  BatchReader reader(payload);
  BatchOp op;
  while (reader.Next(&op)) {
  }
  return reader.status();
}

absl::Status VerifyLog(Context* context, const manifest::ManifestState& state) {
  wal::LogReadOptions options;
  options.file_system = context->fs();
  options.segment_path = [context](uint64_t segment) {
    return LogPath(context->path, FileNumber{segment});
  };
  options.uuid = state.database_id;
  options.oldest_needed = ToInteger(state.log_number);
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   context->fs()->ListDirectory(context->path));
  for (const std::string& name : names) {
    const std::optional<ParsedFileName> file = ParseFileName(name);
    if (file.has_value() && file->type == FileType::kLog) {
      options.segments.push_back(ToInteger(file->number));
    }
  }
  return wal::ReadLog(options,
                      [](uint64_t, std::string_view payload) { return CheckBatch(payload); })
      .status();
}

}  // namespace

absl::Status VerifyAll(Context* context, const ReadView& view, const VersionStore& versions) {
  RETURN_IF_ERROR(VerifyTables(context, view));
  for (;;) {
    // A flush may retire segments and roll the manifest over while they are read: what looks
    // damaged then is read again.
    const manifest::ManifestState before = versions.state();
    absl::Status status =
        manifest::RecoverManifest(context->fs(), context->path, context->order).status();
    if (status.ok()) status = VerifyLog(context, before);
    if (status.ok()) return status;
    const manifest::ManifestState after = versions.state();
    if (after.log_number == before.log_number &&
        after.next_file_number == before.next_file_number) {
      return status;
    }
  }
}

}  // namespace cambium::engine
