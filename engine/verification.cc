#include "engine/verification.h"

#include <memory>
#include <string_view>

#include "base/batch_codec.h"
#include "engine/directory_listing.h"
#include "engine/recovery.h"
#include "util/file_status.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Verifies the log on disk, or, while others write, the part that is written.
absl::Status VerifyLog(Storage* storage, const VersionStore& versions, WritePath* writes) {
  const manifest::ManifestState state = versions.state();
  wal::LogReadOptions options = LogReadOptionsFor(storage, state);
  FilledLog filled;
  if (writes == nullptr) {
    options.reading = wal::LogReading::kCheckAll;
    ASSIGN_OR_RETURN(const DirectoryListing listing, ListFiles(*storage, FileNumberLimit(state)));
    options.segments = listing.Logs();
  } else {
    filled = writes->PinLog();
    if (filled.end.segment == 0) return absl::OkStatus();
    options.reading = wal::LogReading::kCheckUpTo;
    options.reach = filled.end;
    options.segments = filled.segments;
    options.oldest_needed = filled.segments.front();
  }
  const auto check = [](uint64_t, std::string_view payload) {
    BatchReader reader(payload);
    BatchOp op;
    while (reader.Next(&op)) {
    }
    return reader.status();
  };
  return wal::ReadLog(options, check).status();
}

}  // namespace

absl::Status VerifyAll(Storage* storage, const Trees& trees, const VersionStore& versions,
                       WritePath* writes) {
  absl::Status unusable;
  for (const TreeRef& tree : trees.All()) {
    if (!tree->usable()) {
      if (unusable.ok()) unusable = tree->Check();
      continue;
    }
    const std::shared_ptr<const ReadView> view = tree->Pin();
    for (const RunView& run : view->tables->runs) {
      for (const LiveTableRef& table : run.tables) RETURN_IF_ERROR(table->Verify());
    }
  }
  // A missing CURRENT is also an error: the database is open, so it is damage.
  RETURN_IF_ERROR(ReadError(versions.Verify()));
  RETURN_IF_ERROR(VerifyLog(storage, versions, writes));
  return unusable;
}

}  // namespace cambium::engine
