// The options of the tree of one column family: what the program gives, and what the manifest
// stores.
#ifndef CAMBIUM_ENGINE_TREE_FAMILY_OPTIONS_H_
#define CAMBIUM_ENGINE_TREE_FAMILY_OPTIONS_H_

#include <string>

#include "absl/status/statusor.h"
#include "cambium/options.h"
#include "engine/state/tree_options.h"
#include "manifest/manifest_state.h"

namespace cambium::engine {

// The family of calls that do not name one.
inline constexpr ColumnFamilyId kDefaultFamily = 0;
inline constexpr char kDefaultFamilyName[] = "default";

// Returns the orders of all comparators that the program gives.
manifest::KeyOrders KeyOrdersOf(const Options& options);

// Returns the options of the default family, and stores the name of its merge operator in `*family`
// if it had none. If the program gives none, a built-in operator is found by the stored name.
// Returns InvalidArgument if it has another one.
absl::StatusOr<TreeOptions> DefaultTreeOptions(const Options& options, const std::string& path,
                                               manifest::FamilyState* family);

// Returns the options of another family that exists, and stores what the program gives in
// `*family`. If the program does not give what the family needs, the options contain a refusal that
// names it, except that a built-in merge operator is found by its name.
TreeOptions ExistingTreeOptions(const Options& options, const manifest::KeyOrders& orders,
                                manifest::FamilyState* family);

// Returns the options of a new family.
TreeOptions NewTreeOptions(const ColumnFamilyOptions& given);
manifest::FamilySettings SettingsOf(const ColumnFamilyOptions& given);

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TREE_FAMILY_OPTIONS_H_
