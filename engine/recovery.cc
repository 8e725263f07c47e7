#include "engine/recovery.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/batch_codec.h"
#include "base/file_names.h"
#include "base/limits.h"
#include "engine/file_identity.h"
#include "engine/tree/family_options.h"
#include "env/entropy.h"
#include "manifest/manifest_log.h"
#include "util/byte_reader.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Replayed records are written again if their size is at most this, which takes a few milliseconds;
// otherwise they are flushed.
constexpr uint64_t kRewriteBytes = uint64_t{1} << 20;
// The minimum capacity of a memtable that recovery fills.
constexpr size_t kLeastMemTable = size_t{64} << 10;

// The files from which a database is recovered. Plain data.
struct RecoveryFiles {
  DirectoryListing listing;
  FileNumber manifest{0};
  std::set<FileNumber> live;  // tables that the manifest refers to
};

std::set<FileNumber> LiveTables(const manifest::ManifestState& state) {
  std::set<FileNumber> live;
  for (const auto& [id, family] : state.families) {
    for (int level = 0; level < kLevelCount; ++level) {
      for (const manifest::Run& run : family.version->runs(level)) {
        for (const manifest::FileRef& file : run.files) live.insert(file->physical_number);
      }
    }
  }
  return live;
}

absl::Status CheckTables(const std::string& directory, const RecoveryFiles& files) {
  std::set<FileNumber> live = files.live;
  for (const auto& [name, file] : files.listing.files) {
    if (file.type == FileType::kTable) live.erase(file.number);
  }
  if (live.empty()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("open ", directory, ": ", ManifestPath(directory, files.manifest), " names ",
                   TablePath(directory, *live.begin()), ", and there is no such file"));
}

// Finds the files of the directory that belong to the database but that neither the state nor the
// replayed log needs. The current manifest is one of them: a new one replaces it.
void FindLeftovers(const Storage& storage, const RecoveryFiles& files, const KnownDatabase& known,
                   Recovered* recovered) {
  const auto needed = [&](const ParsedFileName& file) {
    const std::vector<uint64_t>& chain = recovered->log.chain;
    switch (file.type) {
      case FileType::kTable:
        return files.live.contains(file.number);
      case FileType::kLog:
        return file.number >= recovered->state.log_number &&
               std::find(chain.begin(), chain.end(), ToInteger(file.number)) != chain.end();
      default:
        return file.type != FileType::kManifest && file.type != FileType::kTemporary;
    }
  };
  for (const auto& [name, file] : files.listing.files) {
    if (needed(file)) continue;
    const std::string path = JoinPath(storage.path, name);
    const FileIdentity identity = Identify(storage.fs(), path, file, known);
    const bool torn = identity == FileIdentity::kTorn;
    if (torn || identity == FileIdentity::kOurs) recovered->leftovers.push_back(path);
    if (torn || identity == FileIdentity::kUnreadable) recovered->has_torn_leftovers = true;
  }
}

// A closed log contains the size of the manifest at that time (VersionStore::EndPayload). Returns
// DataLoss if that manifest is current and has lost its end.
absl::Status CheckManifestEnd(const std::string& directory,
                              const manifest::RecoveredManifest& found,
                              std::string_view end_payload) {
  ByteReader reader(end_payload);
  const FileNumber number{reader.ReadFixed64()};
  const uint64_t size = reader.ReadFixed64();
  if (!reader.ok() || number != found.manifest_number || found.size >= size) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("read ", ManifestPath(directory, number), " at ",
                                          found.size, ": found the end of the manifest, expected ",
                                          size, " bytes, as the log of the closed database says"));
}

// Adds the operations of replayed records that are in no table to memtables of their trees.
// Confined to recovery.
class MemTableFiller {
 public:
  // `capacity` is the size of a full memtable of one of `trees`.
  MemTableFiller(Memory* memory, const Trees* trees, size_t capacity, Recovered* recovered)
      : memory_(memory), trees_(trees), capacity_(capacity), recovered_(recovered) {}

  absl::Status Add(SequenceNumber first, std::string_view payload) {
    BatchReader reader(payload);
    BatchOp op;
    bool is_new = false;  // to some tree
    for (SequenceNumber sequence = first; reader.Next(&op); ++sequence) {
      recovered_->last_sequence = std::max(recovered_->last_sequence, sequence);
      const auto family = recovered_->state.families.find(op.column_family);
      if (family == recovered_->state.families.end()) {
        RETURN_IF_ERROR(CheckDropped(op.column_family));
        continue;
      }
      if (sequence <= family->second.flushed_sequence) continue;
      is_new = true;
      const TreeRef tree = trees_->Find(op.column_family);
      if (!tree->usable()) {
        recovered_->held.insert(op.column_family);
        continue;
      }
      MemTableFor(*tree, sequence, MemTableBytes(op)).Insert(op, sequence);
    }
    RETURN_IF_ERROR(reader.status());
    if (is_new) Keep(first, payload);
    return absl::OkStatus();
  }

 private:
  // A family without a tree was dropped, if it ever existed.
  absl::Status CheckDropped(ColumnFamilyId id) const {
    if (id < recovered_->state.next_family) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(
        "a write to column family ", id, ", expected one below ", recovered_->state.next_family));
  }

  // Reserves `bytes` in the tree's newest memtable, or in a new one if it is full.
  MemSlot& MemTableFor(const Tree& tree, SequenceNumber sequence, size_t bytes) {
    MemTables& memtables = recovered_->memtables.at(tree.id());
    const MemSlot* const newest = memtables.back().get();
    if (!newest->takes_writes()) {
      memtables.pop_back();
    } else if (newest->charge() + bytes > capacity_) {
      memtables.back()->last = sequence - 1;
    }
    if (memtables.empty() || memtables.back()->last != 0) {
      memtables.push_back(std::make_shared<MemSlot>(tree.order(), &memory_->chunks, capacity_));
      // The segment of a record is not known here: the oldest one needed is early enough.
      memtables.back()->oldest_segment = ToInteger(recovered_->state.log_number);
    }
    memtables.back()->reserved += bytes;
    return *memtables.back();
  }

  void Keep(SequenceNumber first, std::string_view payload) {
    recovered_->replayed_bytes += wal::RecordSize(payload.size());
    if (recovered_->replayed_bytes <= kRewriteBytes) {
      recovered_->records.push_back({first, std::string(payload)});
    } else {
      recovered_->records = {};  // frees the memory
    }
  }

  Memory* const memory_;
  const Trees* const trees_;
  const size_t capacity_;
  Recovered* const recovered_;
};

// Fills memtables from the log.
absl::Status ReplayLog(Context* context, const Trees& trees, const RecoveryFiles& files,
                       Recovered* out) {
  const size_t capacity =
      std::max(kLeastMemTable, context->memory.plan.memtable_bytes / out->state.families.size());
  MemTableFiller filler(&context->memory, &trees, capacity, out);
  const auto add = [&filler](SequenceNumber first, std::string_view payload) {
    return filler.Add(first, payload);
  };
  wal::LogReadOptions options = LogReadOptionsFor(&context->storage, out->state);
  options.segments = files.listing.Logs();
  absl::StatusOr<wal::LogReplay> replay = wal::ReadLog(options, add);
  if (!replay.ok()) {
    // A manifest that lost its end also refers to removed segments.
    return absl::Status(
        replay.status().code(),
        absl::StrCat(replay.status().message(), " (the log is read from segment ",
                     ToInteger(out->state.log_number), " on, as ",
                     ManifestPath(context->storage.path, files.manifest), " says)"));
  }
  out->log = *std::move(replay);
  return absl::OkStatus();
}

wal::LogSetOptions LogOptionsFor(Context* context, VersionStore* versions,
                                 const manifest::ManifestState& state) {
  Storage* const storage = &context->storage;
  wal::LogSetOptions options;
  options.file_system = storage->fs();
  options.executor = storage->executor;
  options.directory = storage->path;
  options.segment_path = [storage](uint64_t segment) {
    return LogPath(storage->path, FileNumber{segment});
  };
  options.next_segment = [storage] { return ToInteger(storage->NewFileNumber()); };
  options.registry = versions;
  options.uuid = state.database_id;
  options.segment_size = context->memory.plan.segment_bytes;
  options.mapped = context->options.mapped_log;
  return options;
}

// Replaces the old segments with a segment that contains all replayed records, and then starts a
// manifest there. Returns null if there is no space for the segment.
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
  for (const auto& [id, memtables] : recovered->memtables) {
    for (const auto& slot : memtables) {
      if (slot->takes_writes()) slot->oldest_segment = end.segment;
    }
  }
  manifest::ManifestState& state = recovered->state;
  state.log_number = FileNumber{end.segment};
  // An empty segment's header may not be synced yet.
  state.log_reach = {end.segment, end.offset == wal::kSegmentHeaderSize ? 0 : end.offset};
  RETURN_IF_ERROR(versions->Start(state));
  for (const uint64_t segment : recovered->log.chain) {
    recovered->leftovers.push_back(LogPath(context->storage.path, FileNumber{segment}));
  }
  return log;
}

// Continues after the old segments, which stay until their records are flushed.
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
  // A crash leaves the last segment at its full size, and a clean close leaves it with an end
  // record that states its end. If it cannot be truncated it keeps its size.
  FileSystem* const file_system = context->storage.fs();
  const std::string last = LogPath(context->storage.path, FileNumber{end.segment});
  const uint64_t closed_size = end.offset + wal::RecordSize(wal::kMaxEndPayload);
  if (file_system->FileSize(last).value_or(0) > closed_size) {
    file_system->Truncate(last, end.offset).IgnoreError();
  }
  for (auto& [id, memtables] : recovered->memtables) {
    if (!memtables.back()->takes_writes()) continue;
    memtables.back()->last = recovered->last_sequence;
    memtables.push_back(context->memory.no_memtable);
  }
  return log;
}

absl::Status AddTree(Context* context, const manifest::KeyOrders& orders, Trees* trees,
                     ColumnFamilyId id, manifest::FamilyState* family) {
  TreeOptions options;
  if (id == kDefaultFamily) {
    ASSIGN_OR_RETURN(options, DefaultTreeOptions(context->options, context->storage.path, family));
  } else {
    options = ExistingTreeOptions(context->options, orders, family);
  }
  trees->Add(id, family->name, std::move(options));
  return absl::OkStatus();
}

}  // namespace

wal::LogReadOptions LogReadOptionsFor(Storage* storage, const manifest::ManifestState& state) {
  wal::LogReadOptions options;
  options.file_system = storage->fs();
  options.segment_path = [storage](uint64_t segment) {
    return LogPath(storage->path, FileNumber{segment});
  };
  options.uuid = state.database_id;
  options.oldest_needed = ToInteger(state.log_number);
  options.reach = state.log_reach;
  return options;
}

absl::StatusOr<Recovered> Recover(Context* context, Trees* trees) {
  Storage* const storage = &context->storage;
  const manifest::KeyOrders orders = KeyOrdersOf(context->options);
  ASSIGN_OR_RETURN(manifest::RecoveredManifest found,
                   manifest::RecoverManifest(storage->fs(), storage->path, orders));
  Recovered recovered;
  recovered.state = std::move(found.state);
  recovered.last_sequence = recovered.state.last_sequence;
  storage->wall.Reach(recovered.state.wall_micros);
  for (auto& [id, family] : recovered.state.families) {
    RETURN_IF_ERROR(AddTree(context, orders, trees, id, &family));
    recovered.memtables[id] = {context->memory.no_memtable};
  }
  const KnownDatabase known{recovered.state.database_id,
                            recovered.state.session_start != 0 ? recovered.state.session_start
                                                               : ToInteger(found.manifest_number),
                            FileNumberLimit(recovered.state)};
  RecoveryFiles files;
  ASSIGN_OR_RETURN(files.listing, ListFiles(*storage, known.limit));
  files.manifest = found.manifest_number;
  files.live = LiveTables(recovered.state);
  uint64_t used = files.listing.largest_number;
  if (recovered.state.next_file_number <= kMaxFileNumber) {
    used = std::max(used, recovered.state.next_file_number - 1);
  }
  storage->next_file_number.store(used + 1);
  RETURN_IF_ERROR(CheckTables(storage->path, files));
  RETURN_IF_ERROR(ReplayLog(context, *trees, files, &recovered));
  RETURN_IF_ERROR(CheckManifestEnd(storage->path, found, recovered.log.end_payload));
  FindLeftovers(*storage, files, known, &recovered);
  // Until a torn file is removed, the next Open must be able to recognize it.
  recovered.state.session_start = recovered.has_torn_leftovers ? known.session_start : used + 1;
  if (ToInteger(found.manifest_number) >= known.limit) {
    recovered.leftovers.push_back(ManifestPath(storage->path, found.manifest_number));
  }
  // No segment has such a number, so nothing was replayed.
  if (ToInteger(recovered.state.log_number) >= known.limit) {
    recovered.state.log_number = FileNumber{used + 1};
  }
  return recovered;
}

absl::Status CheckNothingLost(const Context& context) {
  const Storage& storage = context.storage;
  const KnownDatabase known;
  ASSIGN_OR_RETURN(const DirectoryListing listing, ListFiles(storage, known.limit));
  for (const auto& [name, file] : listing.files) {
    if (file.type != FileType::kTable && file.type != FileType::kLog) continue;
    const std::string path = JoinPath(storage.path, name);
    if (Identify(storage.fs(), path, file, known) == FileIdentity::kForeign) continue;
    return absl::DataLossError(absl::StrCat("open ", storage.path, ": found ", path,
                                            ", expected CURRENT beside it: it is missing"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Recovered> Create(Context* context, Trees* trees) {
  RETURN_IF_ERROR(CheckNothingLost(*context));
  const KnownDatabase known;
  RecoveryFiles files;
  ASSIGN_OR_RETURN(files.listing, ListFiles(context->storage, known.limit));
  context->storage.next_file_number.store(files.listing.largest_number + 1);
  Recovered created;
  created.state.comparator_name = context->options.comparator->Name();
  env::FillRandom(created.state.database_id);
  created.state.log_number = FileNumber{context->storage.next_file_number.load()};
  created.state.next_family = kDefaultFamily + 1;
  manifest::FamilyState* const family = &created.state.families[kDefaultFamily];
  *family = {kDefaultFamilyName, created.state.comparator_name};
  family->version = std::make_shared<const manifest::Version>();
  RETURN_IF_ERROR(AddTree(context, KeyOrdersOf(context->options), trees, kDefaultFamily, family));
  created.memtables[kDefaultFamily] = {context->memory.no_memtable};
  created.state.session_start = 1;
  FindLeftovers(context->storage, files, known, &created);
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
  // The next Open removes a file that remains.
  for (const std::string& path : recovered->leftovers) {
    context->storage.fs()->Remove(path).IgnoreError();
  }
  return log;
}

}  // namespace cambium::engine
