// Opening and closing a database.
#include "engine/database.h"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "engine/tree/family_options.h"
#include "env/thread_pool.h"
#include "util/out_of_memory.h"
#include "util/status_copy.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Returns "a/b" for "a/b/c", "." for "c", "/" for "/c".
std::string ParentOf(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(slash, 1)));
}

// Creates the directory and its missing parents, so that they survive a power cut (D5). The nearest
// parent is synced even if the directory existed: its creator may have been killed.
absl::Status MakeDirectory(FileSystem* file_system, const std::string& path) {
  std::vector<std::string> changed = {ParentOf(path)};
  for (;;) {
    ASSIGN_OR_RETURN(const bool exists, file_system->Exists(changed.back()));
    if (exists) break;
    changed.push_back(ParentOf(changed.back()));
  }
  RETURN_IF_ERROR(file_system->CreateDirectory(path));
  for (const std::string& directory : changed) {
    RETURN_IF_ERROR(file_system->SyncDirectory(directory));
  }
  return absl::OkStatus();
}

absl::Status NoDatabase(const std::string& path) {
  return absl::NotFoundError(absl::StrCat("there is no database at ", path));
}

uint64_t NextSerial() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

bool MayCreate(const Options& options) { return options.create_if_missing && !options.read_only; }

// Creates the directory of a database that may be created; returns NotFound if there is no database
// and none may be created.
absl::Status PrepareDirectory(const Options& options, const std::string& path) {
  ASSIGN_OR_RETURN(const bool exists, options.file_system->Exists(CurrentPath(path)));
  if (exists) return absl::OkStatus();
  if (MayCreate(options)) return MakeDirectory(options.file_system.get(), path);
  ASSIGN_OR_RETURN(const bool has_directory, options.file_system->Exists(path));
  return has_directory ? absl::OkStatus() : NoDatabase(path);
}

}  // namespace

Database::Database(const Options& options, const std::string& path)
    : serial(NextSerial()),
      context(options, path),
      open_state(path),
      trees({&context.storage, &context.memory, &context.epochs, &context.errors}),
      versions(&context.storage, &context.errors, &trees, KeyOrdersOf(context.options)),
      jobs(MakeJobWorld()),
      families({&context, &open_state, &trees, &versions, &jobs, &writes}),
      own_threads_(options.executor == nullptr) {}

Database::~Database() {
  // Close() reports the status; a caller that only destroys the object did not ask for it.
  Close().IgnoreError();
  context.snapshots->ReleaseKept();
}

JobWorld Database::MakeJobWorld() {
  JobWorld world;
  world.options = &context.options;
  world.storage = &context.storage;
  world.memory = &context.memory.plan;
  world.snapshots = context.snapshots.get();
  world.errors = &context.errors;
  world.stats = &context.stats;
  world.trees = &trees;
  world.versions = &versions;
  world.log_end = [this] { return writes->LogEnd(); };
  world.await_writes = [this] { return writes->AwaitWrites(); };
  world.retire_log = [this](uint64_t segment) { return writes->RetireLog(segment); };
  world.load_changed = [this] { writes->UpdateLoad(); };
  return world;
}

// The durable steps. A crash may interrupt each of them, and the next Open repeats it:
//
//   1 create the directory and its parents                                      PrepareDirectory
//   2 take the lock: from here on no other process writes                       RecoverOrCreate
//   3 read manifest and log, or find that there is no database; no changes      RecoverOrCreate
//   4 create a log segment and a new manifest, in the order shown in recovery.h StartWriting
//   5 remove the files that neither of them refers to                           StartWriting
//   6 publish the trees and start jobs                                          Start
absl::StatusOr<std::unique_ptr<Database>> Database::Open(Options options, const std::string& path) {
  if (options.file_system == nullptr) options.file_system = DefaultFileSystem();
  ASSIGN_OR_RETURN(const std::string absolute, options.file_system->AbsolutePath(path));
  RETURN_IF_ERROR(PrepareDirectory(options, absolute));
  ASSIGN_OR_RETURN(std::shared_ptr<FileSystem> holder,
                   options.file_system->HoldDirectory(absolute));
  if (holder != nullptr) options.file_system = std::move(holder);
  auto database = std::make_unique<Database>(options, absolute);
  ASSIGN_OR_RETURN(Recovered recovered, database->RecoverOrCreate());
  RETURN_IF_ERROR(database->Start(std::move(recovered)));
  return database;
}

absl::StatusOr<Recovered> Database::RecoverOrCreate() {
  const Options& options = context.options;
  const Storage& storage = context.storage;
  if (!MayCreate(options)) {
    // Before the lock file is created: the directory may not contain a database.
    ASSIGN_OR_RETURN(const bool exists, storage.fs()->Exists(CurrentPath(storage.path)));
    if (!exists) RETURN_IF_ERROR(CheckNothingLost(context));
    if (!exists) return NoDatabase(storage.path);
  }
  const LockMode mode = options.read_only ? LockMode::kShared : LockMode::kExclusive;
  ASSIGN_OR_RETURN(lock, storage.fs()->Lock(LockPath(storage.path), mode));
  absl::StatusOr<Recovered> recovered = Recover(&context, &trees);
  if (recovered.ok() && options.error_if_exists) {
    return absl::AlreadyExistsError(absl::StrCat("there is a database at ", storage.path));
  }
  if (absl::IsNotFound(recovered.status()) && MayCreate(options)) {
    recovered = Create(&context, &trees);
  }
  return recovered;
}

absl::Status Database::Start(Recovered recovered) {
  std::unique_ptr<wal::LogSet> log;
  if (context.options.read_only) {
    versions.StartReadOnly(recovered.state);
  } else {
    ASSIGN_OR_RETURN(log, StartWriting(&context, &versions, &recovered));
  }
  for (const auto& [id, memtables] : recovered.memtables) {
    const TreeRef tree = trees.Find(id);
    tree->Start(memtables, recovered.state.families.at(id).version);
    if (recovered.held.contains(id)) tree->HoldLog(ToInteger(recovered.state.log_number));
  }
  default_tree = trees.Find(kDefaultFamily).get();
  WriteWorld world;
  world.storage = &context.storage;
  world.memory = &context.memory;
  world.errors = &context.errors;
  world.stats = &context.stats;
  world.trees = &trees;
  world.versions = &versions;
  world.jobs = &jobs;
  writes = std::make_unique<WritePath>(world, std::move(log), recovered.last_sequence);
  if (context.options.read_only) return absl::OkStatus();
  writes->UpdateLoad();
  jobs.Schedule();
  return absl::OkStatus();
}

absl::Status Database::Close() {
  if (open_state.forked()) return open_state.Check();
  MutexLock closing(&close_mu_);
  if (!std::exchange(closed_, true)) close_status_ = CloseParts();
  return CopyStatus(close_status_);
}

absl::Status Database::CloseParts() {
  // Calls from here on are rejected. Calls that were accepted earlier may still run: no memory that
  // they use is freed, and none of them writes a file after writes have ended.
  open_state.Close();
  families.AwaitChange();
  locks.Close();
  absl::Status status;
  if (writes != nullptr && !context.options.read_only) {
    jobs.CancelWakeup();
    if (context.errors.writable()) {
      status = CatchBadAlloc([this] { return versions.RecordWallTime(0); });
    }
    absl::Status closed = CatchBadAlloc([this] { return writes->Close(); });
    if (status.ok()) status = std::move(closed);
  }
  context.epochs.Drain();
  context.storage.reaper.Reap();
  // The directory may soon belong to another process.
  context.storage.reaper.Close();
  versions.Close();
  // Otherwise they are closed with the object.
  IfMemoryAllows([this] { context.storage.files->CloseIdle(); });
  if (own_threads_) static_cast<env::ThreadPool*>(context.storage.executor)->Stop();
  lock.reset();
  return status;
}

absl::Status Database::CheckWritable() const {
  RETURN_IF_ERROR(open_state.Check());
  if (!context.options.read_only) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the database at ", context.storage.path, " is open for reading only"));
}

absl::StatusOr<uint64_t> Database::ExpiryFor(const Tree& tree,
                                             const std::optional<std::chrono::milliseconds>& ttl) {
  const std::chrono::milliseconds chosen = ttl.value_or(tree.options().default_ttl);
  if (chosen.count() == 0) return 0;
  if (chosen.count() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a TTL of ", chosen.count(), " milliseconds, expected 0 or more"));
  }
  return ExpiryAfter(TimeOfWrite(), chosen);
}

uint64_t Database::TimeOfWrite() {
  WallTime& wall = context.storage.wall;
  const bool is_first = wall.reached() == 0;
  const uint64_t now = wall.NowForWrite();
  if (is_first) jobs.Schedule();
  return now;
}

absl::StatusOr<ReadMoment> Database::BeginRead(const Tree& tree,
                                               const ReadOptions& read_options) const {
  ReadMoment moment;
  moment.view = &tree.Current([this] { return writes->visible(); }, &moment.sequence);
  if ((*moment.view)->refusal != nullptr) [[unlikely]]
    return BeginRefusedRead(**moment.view, read_options);
  if (read_options.snapshot == nullptr) return moment;
  if (!context.snapshots->Owns(*read_options.snapshot)) {
    return absl::InvalidArgumentError("the snapshot is of another database");
  }
  // The snapshot was taken before the view was loaded, so every later view matches it.
  moment.sequence = read_options.snapshot->sequence();
  return moment;
}

absl::StatusOr<ReadMoment> Database::BeginRefusedRead(const ReadView& view,
                                                      const ReadOptions& read_options) const {
  ReadMoment moment;
  moment.pinned = view.before_drop.lock();
  if (read_options.snapshot == nullptr || moment.pinned == nullptr)
    return CopyStatus(*view.refusal);
  if (!context.snapshots->Owns(*read_options.snapshot)) {
    return absl::InvalidArgumentError("the snapshot is of another database");
  }
  moment.sequence = read_options.snapshot->sequence();
  return moment;
}

}  // namespace cambium::engine
