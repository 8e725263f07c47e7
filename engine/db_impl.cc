// Open, Close and DestroyDB.
#include "engine/db_impl.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"
#include "engine/file_identity.h"
#include "env/thread_pool.h"
#include "util/out_of_memory.h"
#include "util/status_copy.h"
#include "util/status_macros.h"

namespace cambium {

using engine::Recovered;

namespace {

// "a/b" of "a/b/c", "." of "c", "/" of "/c".
std::string ParentOf(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(slash, 1)));
}

// Makes the directory and its missing parents, so that they outlast a power cut (D5). The nearest
// parent is synced even where the directory was there: whoever made it may have been killed.
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

bool MayCreate(const Options& options) { return options.create_if_missing && !options.read_only; }

// Makes the directory of a database that may be created; NotFound if there is no database and none
// may be.
absl::Status PrepareDirectory(const Options& options, const std::string& path) {
  ASSIGN_OR_RETURN(const bool exists, options.file_system->Exists(CurrentPath(path)));
  if (exists) return absl::OkStatus();
  if (MayCreate(options)) return MakeDirectory(options.file_system.get(), path);
  ASSIGN_OR_RETURN(const bool has_directory, options.file_system->Exists(path));
  return has_directory ? absl::OkStatus() : NoDatabase(path);
}

}  // namespace

DB::Impl::~Impl() {
  // The outcome was Close()'s to tell; who only destroys did not ask.
  Close().IgnoreError();
  writes.reset();
}

absl::StatusOr<std::unique_ptr<DB::Impl>> DB::Impl::Open(Options options, const std::string& path) {
  if (options.file_system == nullptr) options.file_system = DefaultFileSystem();
  ASSIGN_OR_RETURN(const std::string absolute, options.file_system->AbsolutePath(path));
  RETURN_IF_ERROR(PrepareDirectory(options, absolute));
  ASSIGN_OR_RETURN(std::shared_ptr<FileSystem> holder,
                   options.file_system->HoldDirectory(absolute));
  if (holder != nullptr) options.file_system = std::move(holder);
  auto impl = std::make_unique<Impl>(options, absolute);
  RETURN_IF_ERROR(impl->Recover());
  return impl;
}

absl::Status DB::Impl::Recover() {
  const Options& options = context.options;
  if (!MayCreate(options)) {
    // Before the lock file is made: there may be nothing here that is ours.
    ASSIGN_OR_RETURN(const bool exists, context.fs()->Exists(CurrentPath(context.path)));
    if (!exists) RETURN_IF_ERROR(engine::CheckNothingLost(context));
    if (!exists) return NoDatabase(context.path);
  }
  const LockMode mode = options.read_only ? LockMode::kShared : LockMode::kExclusive;
  ASSIGN_OR_RETURN(lock, context.fs()->Lock(LockPath(context.path), mode));
  absl::StatusOr<Recovered> recovered = engine::Recover(&context);
  if (recovered.ok() && options.error_if_exists) {
    return absl::AlreadyExistsError(absl::StrCat("there is a database at ", context.path));
  }
  if (absl::IsNotFound(recovered.status()) && MayCreate(options)) {
    recovered = engine::Create(&context);
  }
  RETURN_IF_ERROR(recovered.status());
  return Start(*std::move(recovered));
}

absl::Status DB::Impl::Start(Recovered recovered) {
  std::unique_ptr<wal::LogSet> log;
  if (context.options.read_only) {
    RETURN_IF_ERROR(versions.Start(recovered.state));
  } else {
    ASSIGN_OR_RETURN(log, engine::StartWriting(&context, &versions, &recovered));
  }
  std::vector<std::shared_ptr<engine::MemSlot>> frozen(recovered.memtables.rbegin() + 1,
                                                       recovered.memtables.rend());
  tree.Start(recovered.memtables.back(), std::move(frozen),
             recovered.state.families.at(engine::kDefaultFamily).version);
  writes = std::make_unique<engine::WritePath>(&context, &tree, &versions, std::move(log),
                                               recovered.last_sequence);
  if (!context.options.read_only) writes->jobs()->Schedule();
  return absl::OkStatus();
}

absl::Status DB::Impl::Close() {
  if (open_state.forked()) return open_state.Check();
  MutexLock closing(&close_mu_);
  if (!std::exchange(closed_, true)) close_status_ = CloseParts();
  return CopyStatus(close_status_);
}

absl::Status DB::Impl::CloseParts() {
  // Calls from here on are refused. Those that were let in before go on beside this: nothing that
  // they use in memory is destroyed, and none of them writes a file from where writes end.
  open_state.Close();
  absl::Status status;
  if (writes != nullptr && !context.options.read_only) {
    status = CatchBadAlloc([this] { return writes->Close(); });
  }
  context.epochs.Drain();
  context.reaper.Reap();
  // The directory may soon belong to another process.
  context.reaper.Close();
  versions.Close();
  // Otherwise they close with the object.
  IfMemoryAllows([this] { context.files->CloseIdle(); });
  if (own_threads_) static_cast<env::ThreadPool*>(context.executor())->Stop();
  lock.reset();
  return status;
}

absl::Status DB::Impl::CheckWritable() const {
  RETURN_IF_ERROR(open_state.Check());
  if (!context.options.read_only) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the database at ", context.path, " is open for reading only"));
}

absl::Status DB::Impl::CheckMergeable() const {
  if (context.merge_operator() != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("merge: Options::merge_operator is not set");
}

absl::StatusOr<ReadMoment> DB::Impl::BeginRead(const ReadOptions& read_options) const {
  ReadMoment moment;
  moment.view = &tree.Current([this] { return writes->visible(); }, &moment.sequence);
  if (read_options.snapshot == nullptr) return moment;
  if (!context.snapshots->Owns(*read_options.snapshot)) {
    return absl::InvalidArgumentError("the snapshot is of another database");
  }
  // It was taken before the view was loaded, so every view since then goes with it.
  moment.sequence = read_options.snapshot->sequence();
  return moment;
}

namespace {

// DestroyDB, but for the lack of memory.
absl::Status Destroy(const std::string& path) {
  ASSIGN_OR_RETURN(const bool exists, DefaultFileSystem()->Exists(path));
  if (!exists) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::shared_ptr<FileSystem> file_system,
                   DefaultFileSystem()->HoldDirectory(path));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system->ListDirectory(path));
  const engine::KnownDatabase known = engine::KnownFromCurrent(file_system.get(), path);
  const auto is_ours = [&](const std::string& name) {
    const std::optional<ParsedFileName> file = ParseFileName(name);
    if (!file.has_value()) return false;
    const engine::FileIdentity identity =
        engine::Identify(file_system.get(), JoinPath(path, name), *file, known);
    return identity == engine::FileIdentity::kOurs || identity == engine::FileIdentity::kTorn;
  };
  if (std::none_of(names.begin(), names.end(), is_ours)) return absl::OkStatus();
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock,
                     file_system->Lock(LockPath(path), LockMode::kExclusive));
    // CURRENT goes last: while it stands, a destruction that was cut short shows as a database that
    // lacks files, and can be repeated.
    ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system->ListDirectory(path));
    for (const bool last : {false, true}) {
      for (const std::string& name : files) {
        const std::optional<ParsedFileName> file = ParseFileName(name);
        if (!file.has_value() || file->type == FileType::kLock) continue;
        if ((file->type == FileType::kCurrent) != last || !is_ours(name)) continue;
        RETURN_IF_ERROR(file_system->Remove(JoinPath(path, name)));
      }
    }
    RETURN_IF_ERROR(file_system->Remove(LockPath(path)));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> left, file_system->ListDirectory(path));
  if (!left.empty()) return absl::OkStatus();
  // One that must stay, or that we may not remove, stays: a symbolic link, a mount point, an entry
  // of a parent that is not ours.
  absl::Status removed = DefaultFileSystem()->RemoveDirectory(path);
  const bool stays = absl::IsFailedPrecondition(removed) || absl::IsPermissionDenied(removed);
  return stays ? absl::OkStatus() : removed;
}

}  // namespace

absl::Status DestroyDB(const std::string& path) {
  return CatchBadAlloc([&path] { return Destroy(path); });
}

}  // namespace cambium
