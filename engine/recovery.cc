#include "engine/recovery.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "env/entropy.h"
#include "manifest/recovery.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

constexpr ColumnFamilyId kFamily = 0;

struct Listing {
  std::vector<ParsedFileName> files;
  uint64_t largest_number = 0;
};

absl::StatusOr<Listing> List(Context* context) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   context->fs()->ListDirectory(context->path));
  Listing listing;
  for (const std::string& name : names) {
    const std::optional<ParsedFileName> parsed = ParseFileName(name);
    if (!parsed.has_value()) continue;
    listing.files.push_back(*parsed);
    listing.largest_number = std::max(listing.largest_number, ToInteger(parsed->number));
  }
  return listing;
}

std::set<FileNumber> LiveTables(const manifest::Version& version) {
  std::set<FileNumber> live;
  for (int level = 0; level < kLevelCount; ++level) {
    for (const manifest::Run& run : version.runs(level)) {
      for (const manifest::FileRef& file : run.files) live.insert(file->physical_number);
    }
  }
  return live;
}

absl::Status CheckTables(const Context& context, const Listing& listing,
                         const std::set<FileNumber>& live, FileNumber manifest) {
  std::set<FileNumber> present;
  for (const ParsedFileName& file : listing.files) {
    if (file.type == FileType::kTable) present.insert(file.number);
  }
  for (const FileNumber number : live) {
    if (present.contains(number)) continue;
    return absl::DataLossError(
        absl::StrCat("open ", context.path, ": ", ManifestPath(context.path, manifest), " names ",
                     TablePath(context.path, number), ", and there is no such file"));
  }
  return absl::OkStatus();
}

std::string PathOf(const Context& context, const std::string& name) {
  return JoinPath(context.path, name);
}

// What of the directory neither the state nor the replayed log needs. The manifest in force is
// among them: the fresh one replaces it.
absl::StatusOr<std::vector<std::string>> Leftovers(Context* context,
                                                   const std::set<FileNumber>& live,
                                                   const wal::LogReplay& log,
                                                   FileNumber oldest_log) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   context->fs()->ListDirectory(context->path));
  std::vector<std::string> leftovers;
  for (const std::string& name : names) {
    const std::optional<ParsedFileName> parsed = ParseFileName(name);
    if (!parsed.has_value()) continue;
    bool needed = true;
    switch (parsed->type) {
      case FileType::kTable:
        needed = live.contains(parsed->number);
        break;
      case FileType::kLog:
        needed = parsed->number >= oldest_log &&
                 std::find(log.chain.begin(), log.chain.end(), ToInteger(parsed->number)) !=
                     log.chain.end();
        break;
      case FileType::kManifest:
      case FileType::kTemporary:
        needed = false;
        break;
      default:
        break;
    }
    if (!needed) leftovers.push_back(PathOf(*context, name));
  }
  return leftovers;
}

// Fills memtables from the log's records. Confined to recovery.
class Replayer {
 public:
  Replayer(Context* context, Recovered* out) : context_(context), out_(out) {
    first_.sequence = out->state.families.at(kFamily).flushed_sequence;
    // Where in its segments a record lies is not told: the oldest segment needed is early enough
    // for every memtable.
    first_.log = {ToInteger(out->state.log_number), 0};
    AddMemTable();
  }

  absl::Status Add(SequenceNumber first, std::string_view payload) {
    const uint32_t count = BatchReader(payload).count();
    if (count == 0) return absl::OkStatus();
    const SequenceNumber last = first + count - 1;
    out_->last_sequence = std::max(out_->last_sequence, last);
    const SequenceNumber flushed = out_->state.families.at(kFamily).flushed_sequence;
    if (last <= flushed) return absl::OkStatus();
    const size_t bytes = MemTableBytes(payload.size(), count);
    if (active()->reserved != 0 && active()->reserved + bytes > active()->capacity) {
      first_.sequence = first - 1;
      AddMemTable();
    }
    active()->reserved += bytes;
    return InsertBatch(payload, first, flushed, active());
  }

 private:
  MemSlot* active() { return out_->memtables.back().get(); }
  void AddMemTable() {
    auto slot = std::make_shared<MemSlot>(context_->order, &context_->chunks,
                                          context_->memory.memtable_bytes);
    slot->first = first_;
    out_->memtables.push_back(std::move(slot));
  }

  Context* const context_;
  Recovered* const out_;
  WriteFrontier first_;
};

absl::Status ReplayLog(Context* context, const Listing& listing, Recovered* out) {
  wal::LogReadOptions options;
  options.file_system = context->fs();
  options.segment_path = [context](uint64_t segment) {
    return LogPath(context->path, FileNumber{segment});
  };
  options.uuid = out->state.database_id;
  options.oldest_needed = ToInteger(out->state.log_number);
  for (const ParsedFileName& file : listing.files) {
    if (file.type == FileType::kLog) options.segments.push_back(ToInteger(file.number));
  }
  Replayer replayer(context, out);
  ASSIGN_OR_RETURN(out->log, wal::ReadLog(options, [&](uint64_t first, std::string_view payload) {
                     return replayer.Add(first, payload);
                   }));
  return absl::OkStatus();
}

bool HoldsNothing(const std::vector<std::shared_ptr<MemSlot>>& memtables) {
  return memtables.size() == 1 && memtables.front()->reserved == 0;
}

}  // namespace

absl::StatusOr<Recovered> Recover(Context* context) {
  ASSIGN_OR_RETURN(manifest::RecoveredManifest found,
                   manifest::RecoverManifest(context->fs(), context->path, context->order));
  Recovered recovered;
  recovered.state = std::move(found.state);
  recovered.last_sequence = recovered.state.last_sequence;
  ASSIGN_OR_RETURN(const Listing listing, List(context));
  context->next_file_number.store(
      std::max(recovered.state.next_file_number, listing.largest_number + 1));
  const std::set<FileNumber> live = LiveTables(*recovered.state.families.at(kFamily).version);
  RETURN_IF_ERROR(CheckTables(*context, listing, live, found.manifest_number));
  RETURN_IF_ERROR(ReplayLog(context, listing, &recovered));
  if (HoldsNothing(recovered.memtables)) {
    // All that the log holds is in tables: the fresh manifest needs none of its segments.
    recovered.state.log_number = FileNumber{context->next_file_number.load()};
    recovered.memtables.front()->first = {recovered.last_sequence,
                                          {ToInteger(recovered.state.log_number), 0}};
  }
  ASSIGN_OR_RETURN(recovered.leftovers,
                   Leftovers(context, live, recovered.log, recovered.state.log_number));
  return recovered;
}

absl::StatusOr<Recovered> Create(Context* context) {
  ASSIGN_OR_RETURN(const Listing listing, List(context));
  for (const ParsedFileName& file : listing.files) {
    if (file.type != FileType::kTable && file.type != FileType::kLog) continue;
    return absl::DataLossError(absl::StrCat("open ", context->path, ": found ",
                                            file.type == FileType::kTable
                                                ? TablePath(context->path, file.number)
                                                : LogPath(context->path, file.number),
                                            ", expected CURRENT beside it: it is missing"));
  }
  context->next_file_number.store(listing.largest_number + 1);
  Recovered created;
  created.state.comparator_name = context->order.comparator()->Name();
  env::FillRandom(created.state.database_id);
  created.state.log_number = FileNumber{context->next_file_number.load()};
  manifest::FamilyState& family = created.state.families[kFamily];
  family.name = "default";
  family.version = std::make_shared<const manifest::Version>();
  created.memtables.push_back(
      std::make_shared<MemSlot>(context->order, &context->chunks, context->memory.memtable_bytes));
  created.memtables.front()->first = {0, {ToInteger(created.state.log_number), 0}};
  ASSIGN_OR_RETURN(created.leftovers,
                   Leftovers(context, {}, created.log, created.state.log_number));
  return created;
}

absl::StatusOr<std::unique_ptr<wal::LogSet>> StartLog(Context* context,
                                                      const Recovered& recovered) {
  wal::LogSetOptions options;
  options.file_system = context->fs();
  options.executor = context->executor();
  options.directory = context->path;
  options.segment_path = [context](uint64_t segment) {
    return LogPath(context->path, FileNumber{segment});
  };
  options.next_segment = [context] { return ToInteger(context->NewFileNumber()); };
  options.uuid = recovered.state.database_id;
  options.segment_size = context->memory.segment_bytes;
  wal::LogStart start;
  start.first_sequence = recovered.last_sequence + 1;
  start.previous_end = recovered.log.end;
  for (const uint64_t segment : recovered.log.chain) {
    if (segment >= ToInteger(recovered.state.log_number))
      start.previous_segments.push_back(segment);
  }
  return wal::LogSet::Create(std::move(options), std::move(start));
}

void RemoveLeftovers(Context* context, const Recovered& recovered) {
  for (const std::string& path : recovered.leftovers) {
    context->fs()->Remove(path).IgnoreError();
  }
}

}  // namespace cambium::engine
