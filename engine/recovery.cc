#include "engine/recovery.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "engine/file_identity.h"
#include "env/entropy.h"
#include "manifest/manifest_log.h"
#include "util/byte_reader.h"
#include "util/file_status.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// What was replayed is written again if it is at most that much, which takes a few milliseconds;
// more is flushed.
constexpr uint64_t kRewriteBytes = uint64_t{1} << 20;

// The files of the database's directory. Plain data.
struct Listing {
  std::vector<std::pair<std::string, ParsedFileName>> files;  // by name
  uint64_t largest_number = 0;

  // Numbers of the log segments.
  std::vector<uint64_t> Logs() const {
    std::vector<uint64_t> logs;
    for (const auto& [name, file] : files) {
      if (file.type == FileType::kLog) logs.push_back(ToInteger(file.number));
    }
    return logs;
  }
};

// The names that may be ours: those with a number below `limit`.
absl::StatusOr<Listing> List(const Context& context, uint64_t limit) {
  const absl::StatusOr<std::vector<std::string>> names = context.fs()->ListDirectory(context.path);
  if (!names.ok()) return ReadError(names.status());
  Listing listing;
  for (const std::string& name : *names) {
    const std::optional<ParsedFileName> parsed = ParseFileName(name);
    if (!parsed.has_value() || ToInteger(parsed->number) >= limit) continue;
    listing.files.emplace_back(name, *parsed);
    listing.largest_number = std::max(listing.largest_number, ToInteger(parsed->number));
  }
  return listing;
}

// An older release let a foreign file raise the counter beyond use: what counts then is what is
// there.
uint64_t LimitFor(const manifest::ManifestState& state) {
  return std::min(state.next_file_number, kMaxFileNumber) + kFileNumberGap;
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

absl::Status CheckTables(const Context& context, const Listing& listing, std::set<FileNumber> live,
                         FileNumber manifest) {
  for (const auto& [name, file] : listing.files) {
    if (file.type == FileType::kTable) live.erase(file.number);
  }
  if (live.empty()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("open ", context.path, ": ", ManifestPath(context.path, manifest), " names ",
                   TablePath(context.path, *live.begin()), ", and there is no such file"));
}

// What of the directory is ours and neither the state nor the replayed log needs. The manifest in
// force is among them: the fresh one replaces it.
void FindLeftovers(const Context& context, const Listing& listing, const std::set<FileNumber>& live,
                   const KnownDatabase& known, Recovered* recovered) {
  const auto needed = [&](const ParsedFileName& file) {
    const std::vector<uint64_t>& chain = recovered->log.chain;
    switch (file.type) {
      case FileType::kTable:
        return live.contains(file.number);
      case FileType::kLog:
        return file.number >= recovered->state.log_number &&
               std::find(chain.begin(), chain.end(), ToInteger(file.number)) != chain.end();
      default:
        return file.type != FileType::kManifest && file.type != FileType::kTemporary;
    }
  };
  for (const auto& [name, file] : listing.files) {
    if (needed(file)) continue;
    const std::string path = JoinPath(context.path, name);
    const FileIdentity identity = Identify(context.fs(), path, file, known);
    const bool torn = identity == FileIdentity::kTorn;
    if (torn || identity == FileIdentity::kOurs) recovered->leftovers.push_back(path);
    if (torn || identity == FileIdentity::kUnreadable) recovered->has_torn_leftovers = true;
  }
}

// A log that was closed says how long the manifest was then (VersionStore::EndPayload). DataLoss if
// that manifest is in force and has lost its end.
absl::Status CheckManifestEnd(const Context& context, const manifest::RecoveredManifest& found,
                              std::string_view end_payload) {
  ByteReader reader(end_payload);
  const FileNumber number{reader.ReadFixed64()};
  const uint64_t size = reader.ReadFixed64();
  if (!reader.ok() || number != found.manifest_number || found.size >= size) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("read ", ManifestPath(context.path, number), " at ",
                                          found.size, ": found the end of the manifest, expected ",
                                          size, " bytes, as the log of the closed database says"));
}

std::shared_ptr<MemSlot> NewMemTable(Context* context, const WriteFrontier& first) {
  auto slot =
      std::make_shared<MemSlot>(context->order, &context->chunks, context->memory.memtable_bytes);
  slot->first = first;
  return slot;
}

wal::LogReadOptions LogReadOptionsFor(const Context& context,
                                      const manifest::ManifestState& state) {
  wal::LogReadOptions options;
  options.file_system = context.fs();
  options.segment_path = [&context](uint64_t segment) {
    return LogPath(context.path, FileNumber{segment});
  };
  options.uuid = state.database_id;
  options.oldest_needed = ToInteger(state.log_number);
  options.reach = state.log_reach;
  return options;
}

// Fills memtables from the log.
absl::Status ReplayLog(Context* context, const Listing& listing, FileNumber manifest,
                       Recovered* out) {
  const SequenceNumber flushed = out->state.families.at(kDefaultFamily).flushed_sequence;
  // Where in its segments a record lies is not told: the oldest segment needed is early enough for
  // every memtable.
  const wal::LogPosition log{ToInteger(out->state.log_number), 0};
  out->memtables.push_back(NewMemTable(context, {flushed, log}));
  const auto add = [&](SequenceNumber first, std::string_view payload) -> absl::Status {
    const uint32_t count = BatchReader(payload).count();
    if (count == 0) return absl::OkStatus();
    const SequenceNumber last = first + count - 1;
    out->last_sequence = std::max(out->last_sequence, last);
    if (last <= flushed) return absl::OkStatus();
    const size_t bytes = MemTableBytes(payload.size(), count);
    if (!out->memtables.back()->HasRoom(bytes)) {
      out->memtables.push_back(NewMemTable(context, {first - 1, log}));
    }
    out->replayed_bytes += wal::RecordSize(payload.size());
    if (out->replayed_bytes <= kRewriteBytes) {
      out->records.push_back({first, std::string(payload)});
    } else {
      out->records = {};  // gives the memory back
    }
    MemSlot* const active = out->memtables.back().get();
    active->reserved += bytes;
    return active->InsertBatch(payload, first, flushed);
  };
  wal::LogReadOptions options = LogReadOptionsFor(*context, out->state);
  options.segments = listing.Logs();
  absl::StatusOr<wal::LogReplay> replay = wal::ReadLog(options, add);
  if (!replay.ok()) {
    // A manifest that lost its end asks for segments which are gone, too.
    return absl::Status(replay.status().code(),
                        absl::StrCat(replay.status().message(), " (the log is read from segment ",
                                     ToInteger(out->state.log_number), " on, as ",
                                     ManifestPath(context->path, manifest), " says)"));
  }
  out->log = *std::move(replay);
  return absl::OkStatus();
}

wal::LogSetOptions LogOptionsFor(Context* context, VersionStore* versions,
                                 const manifest::ManifestState& state) {
  wal::LogSetOptions options;
  options.file_system = context->fs();
  options.executor = context->executor();
  options.directory = context->path;
  options.segment_path = [context](uint64_t segment) {
    return LogPath(context->path, FileNumber{segment});
  };
  options.next_segment = [context] { return ToInteger(context->NewFileNumber()); };
  options.registry = versions;
  options.uuid = state.database_id;
  options.segment_size = context->memory.segment_bytes;
  options.mapped = context->options.mapped_log;
  return options;
}

// Puts a segment that holds all that was replayed in the place of the old ones, and then a manifest
// that starts there. Null if there is no space for the segment.
absl::StatusOr<std::unique_ptr<wal::LogSet>> RewriteLog(Context* context, VersionStore* versions,
                                                        Recovered* recovered) {
  wal::LogStart start;
  start.first_sequence = recovered->last_sequence + 1;
  start.records = std::move(recovered->records);
  absl::StatusOr<std::unique_ptr<wal::LogSet>> log =
      wal::LogSet::Create(LogOptionsFor(context, versions, recovered->state), std::move(start));
  if (absl::IsResourceExhausted(log.status())) return nullptr;
  RETURN_IF_ERROR(log.status());
  const wal::LogPosition end = (*log)->ReservedEnd();
  for (const auto& slot : recovered->memtables) slot->first.log = {end.segment, 0};
  manifest::ManifestState& state = recovered->state;
  state.log_number = FileNumber{end.segment};
  // An empty segment's header may not be synced yet.
  state.log_reach = {end.segment, end.offset == wal::kSegmentHeaderSize ? 0 : end.offset};
  RETURN_IF_ERROR(versions->Start(state));
  for (const uint64_t segment : recovered->log.chain) {
    recovered->leftovers.push_back(LogPath(context->path, FileNumber{segment}));
  }
  return log;
}

// Goes on behind the old segments, which stay until what they hold is flushed.
absl::StatusOr<std::unique_ptr<wal::LogSet>> ContinueLog(Context* context, VersionStore* versions,
                                                         Recovered* recovered) {
  const wal::LogPosition end = recovered->log.end;
  recovered->state.log_reach = {end.segment, 0};
  RETURN_IF_ERROR(versions->Start(recovered->state));
  wal::LogStart start;
  start.first_sequence = recovered->last_sequence + 1;
  start.previous_end = end;
  start.previous_segments = recovered->log.chain;
  ASSIGN_OR_RETURN(
      std::unique_ptr<wal::LogSet> log,
      wal::LogSet::Create(LogOptionsFor(context, versions, recovered->state), std::move(start)));
  if (end.segment == 0) return log;
  // A crash leaves the last one at its full size, a clean close with an end record that vouches for
  // it. If it cannot be cut it stays whole.
  const std::string last = LogPath(context->path, FileNumber{end.segment});
  const uint64_t closed_size = end.offset + wal::RecordSize(wal::kMaxEndPayload);
  if (context->fs()->FileSize(last).value_or(0) > closed_size) {
    context->fs()->Truncate(last, end.offset).IgnoreError();
  }
  recovered->memtables.push_back(
      NewMemTable(context, {recovered->last_sequence, log->ReservedEnd()}));
  return log;
}

// The log as it stands on disk, or, while others write, as far as it is written.
absl::Status VerifyLog(const Context& context, const VersionStore& versions, WritePath* writes) {
  const manifest::ManifestState state = versions.state();
  wal::LogReadOptions options = LogReadOptionsFor(context, state);
  WritePath::FilledLog filled;
  if (context.options.read_only) {
    options.reading = wal::LogReading::kCheckAll;
    ASSIGN_OR_RETURN(const Listing listing, List(context, LimitFor(state)));
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

// Sets the operator of a database that had none.
absl::Status CheckMergeOperator(const Context& context, manifest::FamilyState* family) {
  if (context.merge_operator() == nullptr) return absl::OkStatus();
  const char* const name = context.merge_operator()->Name();
  if (family->merge_operator_name.empty()) family->merge_operator_name = name;
  if (family->merge_operator_name == name) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "open ", context.path, ": the operands of the database are for the merge operator ",
      family->merge_operator_name, ", not for ", name));
}

}  // namespace

absl::StatusOr<Recovered> Recover(Context* context) {
  ASSIGN_OR_RETURN(manifest::RecoveredManifest found,
                   manifest::RecoverManifest(context->fs(), context->path, context->order));
  Recovered recovered;
  recovered.state = std::move(found.state);
  recovered.last_sequence = recovered.state.last_sequence;
  manifest::FamilyState* const family = &recovered.state.families.at(kDefaultFamily);
  RETURN_IF_ERROR(CheckMergeOperator(*context, family));
  const KnownDatabase known{recovered.state.database_id,
                            recovered.state.session_start != 0 ? recovered.state.session_start
                                                               : ToInteger(found.manifest_number),
                            LimitFor(recovered.state)};
  ASSIGN_OR_RETURN(const Listing listing, List(*context, known.limit));
  context->next_file_number.store(listing.largest_number + 1);
  if (recovered.state.next_file_number <= kMaxFileNumber) {
    context->next_file_number.store(
        std::max(recovered.state.next_file_number, listing.largest_number + 1));
  }
  const std::set<FileNumber> live = LiveTables(*family->version);
  RETURN_IF_ERROR(CheckTables(*context, listing, live, found.manifest_number));
  RETURN_IF_ERROR(ReplayLog(context, listing, found.manifest_number, &recovered));
  RETURN_IF_ERROR(CheckManifestEnd(*context, found, recovered.log.end_payload));
  FindLeftovers(*context, listing, live, known, &recovered);
  // Until a torn file is gone, the next Open must know it again.
  recovered.state.session_start =
      recovered.has_torn_leftovers ? known.session_start : context->next_file_number.load();
  if (ToInteger(found.manifest_number) >= known.limit) {
    recovered.leftovers.push_back(ManifestPath(context->path, found.manifest_number));
  }
  // No segment has such a number, so nothing was replayed.
  if (ToInteger(recovered.state.log_number) >= known.limit) {
    recovered.state.log_number = FileNumber{context->next_file_number.load()};
  }
  return recovered;
}

absl::Status CheckNothingLost(const Context& context) {
  const KnownDatabase known;
  ASSIGN_OR_RETURN(const Listing listing, List(context, known.limit));
  for (const auto& [name, file] : listing.files) {
    if (file.type != FileType::kTable && file.type != FileType::kLog) continue;
    const std::string path = JoinPath(context.path, name);
    if (Identify(context.fs(), path, file, known) == FileIdentity::kForeign) continue;
    return absl::DataLossError(absl::StrCat("open ", context.path, ": found ", path,
                                            ", expected CURRENT beside it: it is missing"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Recovered> Create(Context* context) {
  RETURN_IF_ERROR(CheckNothingLost(*context));
  const KnownDatabase known;
  ASSIGN_OR_RETURN(const Listing listing, List(*context, known.limit));
  context->next_file_number.store(listing.largest_number + 1);
  Recovered created;
  created.state.comparator_name = context->order.comparator()->Name();
  env::FillRandom(created.state.database_id);
  created.state.log_number = FileNumber{context->next_file_number.load()};
  manifest::FamilyState* const family = &created.state.families[kDefaultFamily];
  *family = {"default", 0, std::make_shared<const manifest::Version>()};
  RETURN_IF_ERROR(CheckMergeOperator(*context, family));
  created.memtables.push_back(NewMemTable(context, {0, {ToInteger(created.state.log_number), 0}}));
  created.state.session_start = 1;
  FindLeftovers(*context, listing, {}, known, &created);
  return created;
}

absl::StatusOr<std::unique_ptr<wal::LogSet>> StartWriting(Context* context, VersionStore* versions,
                                                          Recovered* recovered) {
  std::unique_ptr<wal::LogSet> log;
  const bool is_new = recovered->log.end.segment == 0 && recovered->last_sequence == 0;
  if (!is_new && recovered->replayed_bytes <= kRewriteBytes) {
    ASSIGN_OR_RETURN(log, RewriteLog(context, versions, recovered));
  }
  if (log == nullptr) {
    ASSIGN_OR_RETURN(log, ContinueLog(context, versions, recovered));
  }
  // One that stays is the next Open's to remove.
  for (const std::string& path : recovered->leftovers) context->fs()->Remove(path).IgnoreError();
  return log;
}

absl::Status VerifyAll(Context* context, const ReadView& view, const VersionStore& versions,
                       WritePath* writes) {
  for (const RunView& run : view.tables->runs) {
    for (const LiveTableRef& table : run.tables) RETURN_IF_ERROR(context->VerifyTable(*table));
  }
  // Without CURRENT too: the database is open, so it is damage.
  RETURN_IF_ERROR(ReadError(versions.Verify()));
  return VerifyLog(*context, versions, writes);
}

}  // namespace cambium::engine
