#include "engine/family_catalog.h"

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/tree/family_options.h"
#include "util/absl_view.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

std::string Quoted(std::string_view name) {
  return absl::StrCat("column family \"", absl::CHexEscape(ToAbsl(name)), "\"");
}

absl::Status CheckNewName(const Trees& trees, std::string_view name) {
  if (name.empty() || name.size() > FamilyCatalog::kMaxNameSize) {
    return absl::InvalidArgumentError(absl::StrCat("the name of a column family has ", name.size(),
                                                   " bytes, expected 1 to ",
                                                   FamilyCatalog::kMaxNameSize));
  }
  if (trees.FindByName(name) == nullptr) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(Quoted(name), " exists"));
}

// Returns the tree of a family that may be dropped or renamed.
absl::StatusOr<TreeRef> FindChangeable(const Trees& trees, std::string_view name) {
  TreeRef tree = trees.FindByName(name);
  if (tree == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no ", Quoted(name)));
  }
  if (tree->id() != kDefaultFamily) return tree;
  return absl::InvalidArgumentError("the default column family cannot be dropped or renamed");
}

}  // namespace

absl::Status FamilyCatalog::Check() const {
  RETURN_IF_ERROR(world_.open_state->Check());
  return world_.context->errors.WriteStatus();
}

absl::StatusOr<TreeRef> FamilyCatalog::Create(std::string_view name,
                                              const ColumnFamilyOptions& options) {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(Check());
  RETURN_IF_ERROR(CheckNewName(*world_.trees, name));
  const uint64_t next = world_.versions->NextFamily();
  if (next > UINT32_MAX) {
    return absl::ResourceExhaustedError("the ids of column families are used up");
  }
  const auto id = static_cast<ColumnFamilyId>(next);
  Trees::Prepared prepared = world_.trees->Prepare(id, std::string(name), NewTreeOptions(options));
  TreeRef tree = prepared.tree;
  tree->Start({world_.context->memory.no_memtable}, std::make_shared<const manifest::Version>());
  manifest::VersionEdit edit;
  manifest::FamilyEdit& family = edit.Family(id);
  family.change = manifest::FamilyChange::kAdd;
  family.name = name;
  family.comparator_name = options.comparator->Name();
  if (options.merge_operator != nullptr) {
    family.merge_operator_name = options.merge_operator->Name();
  }
  family.settings = SettingsOf(options);
  RETURN_IF_ERROR(world_.versions->CommitFamily(edit, options.comparator));
  world_.trees->Insert(std::move(prepared));
  return tree;
}

absl::Status FamilyCatalog::Drop(std::string_view name) {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(Check());
  ASSIGN_OR_RETURN(const TreeRef tree, FindChangeable(*world_.trees, name));
  // Nothing can fail after the manifest is synced, so the memory is allocated before.
  Tree::Ending ending = tree->PrepareToDrop(
      absl::FailedPreconditionError(absl::StrCat(Quoted(name), " was dropped")));
  world_.trees->PrepareToRemove();
  abandoned_.reserve(abandoned_.size() + 1);
  manifest::VersionEdit edit;
  edit.Family(tree->id()).change = manifest::FamilyChange::kDrop;
  RETURN_IF_ERROR(world_.versions->CommitFamily(edit, nullptr));
  world_.trees->Remove(tree->id(), name);
  WritePath* const writes = world_.writes->get();
  std::shared_ptr<const ReadView> last = writes->Drop(tree.get(), std::move(ending));
  // Commits that were ordered before may still be copying into its memtables.
  if (writes->AwaitWrites().ok()) {
    // Without memory, older snapshots lose the family.
    IfMemoryAllows([&] { world_.context->snapshots->Keep(writes->visible(), last); });
  } else {
    abandoned_.push_back(std::move(last));
  }
  last.reset();
  world_.context->epochs.Drain();
  world_.context->storage.reaper.Reap();
  world_.jobs->Schedule();
  return absl::OkStatus();
}

absl::Status FamilyCatalog::Rename(std::string_view from, std::string_view to) {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(Check());
  ASSIGN_OR_RETURN(const TreeRef tree, FindChangeable(*world_.trees, from));
  RETURN_IF_ERROR(CheckNewName(*world_.trees, to));
  manifest::VersionEdit edit;
  std::string name(to);
  edit.Family(tree->id()).new_name = name;
  RETURN_IF_ERROR(world_.versions->CommitFamily(edit, nullptr));
  world_.trees->Rename(from, std::move(name));
  return absl::OkStatus();
}

}  // namespace cambium::engine
