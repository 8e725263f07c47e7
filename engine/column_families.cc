// Column families in the public API: handles, and the calls that change the set of families.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "engine/database.h"
#include "engine/tree/family_options.h"
#include "engine/validate_options.h"
#include "util/absl_view.h"
#include "util/out_of_memory.h"
#include "util/status_macros.h"

namespace cambium {

std::shared_ptr<ColumnFamily> DB::HandleOf(std::string_view name,
                                           std::shared_ptr<engine::Tree> tree) const {
  const uint32_t id = tree->id();
  return std::make_shared<ColumnFamily>(std::string(name), id, database_->serial, std::move(tree));
}

absl::StatusOr<std::shared_ptr<ColumnFamily>> DB::CreateColumnFamily(
    std::string_view name, const ColumnFamilyOptions& options) {
  return CatchBadAlloc([&]() -> absl::StatusOr<std::shared_ptr<ColumnFamily>> {
    RETURN_IF_ERROR(database_->CheckWritable());
    RETURN_IF_ERROR(engine::ValidateFamilyOptions(options, "ColumnFamilyOptions"));
    ASSIGN_OR_RETURN(engine::TreeRef tree, database_->families.Create(name, options));
    return HandleOf(name, std::move(tree));
  });
}

absl::StatusOr<std::shared_ptr<ColumnFamily>> DB::GetColumnFamily(std::string_view name) {
  return CatchBadAlloc([&]() -> absl::StatusOr<std::shared_ptr<ColumnFamily>> {
    RETURN_IF_ERROR(database_->open_state.Check());
    engine::TreeRef tree = database_->trees.FindByName(name);
    if (tree != nullptr) return HandleOf(name, std::move(tree));
    return absl::NotFoundError(
        absl::StrCat("there is no column family \"", absl::CHexEscape(ToAbsl(name)), "\""));
  });
}

std::shared_ptr<ColumnFamily> DB::DefaultColumnFamily() const {
  return HandleOf(engine::kDefaultFamilyName, database_->default_tree->shared_from_this());
}

absl::Status DB::DropColumnFamily(std::string_view name) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return database_->families.Drop(name);
  });
}

absl::Status DB::RenameColumnFamily(std::string_view from, std::string_view to) {
  return CatchBadAlloc([&]() -> absl::Status {
    RETURN_IF_ERROR(database_->CheckWritable());
    return database_->families.Rename(from, to);
  });
}

std::vector<std::string> DB::ListColumnFamilies() const {
  if (!database_->open_state.Check().ok()) return {};
  return database_->trees.Names();
}

}  // namespace cambium
