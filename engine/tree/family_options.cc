#include "engine/tree/family_options.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/built_in_operators.h"

namespace cambium::engine {
namespace {

// Returns the error of every call with a family that needs `needed`.
absl::Status Missing(const std::string& family, const char* what, const std::string& needed,
                     const char* given) {
  return absl::FailedPreconditionError(
      absl::StrCat("column family \"", family, "\" needs the ", what, " ", needed,
                   ", and Options::families has ",
                   given == nullptr ? "none for it" : absl::StrCat(given, " for it")));
}

void Set(const manifest::FamilySettings& settings, TreeOptions* options) {
  options->compression = settings.compression;
  options->compression_level = settings.compression_level;
  options->filter_bits_per_key = settings.filter_bits_per_key;
  options->default_ttl = std::chrono::milliseconds(settings.default_ttl_millis);
}

}  // namespace

manifest::KeyOrders KeyOrdersOf(const Options& options) {
  manifest::KeyOrders orders{KeyOrder(options.comparator)};
  for (const auto& [name, family] : options.families) orders.Add(family.comparator);
  return orders;
}

absl::StatusOr<TreeOptions> DefaultTreeOptions(const Options& options, const std::string& path,
                                               manifest::FamilyState* family) {
  TreeOptions tree(options);
  if (tree.merge_operator == nullptr) {
    tree.merge_operator = FindBuiltInOperator(family->merge_operator_name);
    return tree;
  }
  const char* const name = tree.merge_operator->Name();
  if (family->merge_operator_name.empty()) family->merge_operator_name = name;
  if (family->merge_operator_name == name) return tree;
  return absl::InvalidArgumentError(
      absl::StrCat("open ", path, ": the operands of the database are for the merge operator ",
                   family->merge_operator_name, ", not for ", name));
}

TreeOptions ExistingTreeOptions(const Options& options, const manifest::KeyOrders& orders,
                                manifest::FamilyState* family) {
  const auto place = options.families.find(family->name);
  const ColumnFamilyOptions* const given =
      place == options.families.end() ? nullptr : &place->second;
  if (given != nullptr) family->settings = SettingsOf(*given);
  TreeOptions tree;
  Set(family->settings.value_or(manifest::FamilySettings()), &tree);
  const std::optional<KeyOrder> order = orders.Find(family->comparator_name);
  const char* const comparator = given == nullptr ? nullptr : given->comparator->Name();
  if (!order || (comparator != nullptr && family->comparator_name != comparator)) {
    tree.refusal = Missing(family->name, "comparator", family->comparator_name, comparator);
    return tree;
  }
  tree.order = given == nullptr ? *order : KeyOrder(given->comparator);
  if (given == nullptr || given->merge_operator == nullptr) {
    tree.merge_operator = FindBuiltInOperator(family->merge_operator_name);
    return tree;
  }
  const char* const name = given->merge_operator->Name();
  if (family->merge_operator_name.empty()) family->merge_operator_name = name;
  if (family->merge_operator_name != name) {
    tree.refusal = Missing(family->name, "merge operator", family->merge_operator_name, name);
  } else {
    tree.merge_operator = given->merge_operator;
  }
  return tree;
}

TreeOptions NewTreeOptions(const ColumnFamilyOptions& given) {
  TreeOptions tree;
  Set(SettingsOf(given), &tree);
  tree.order = KeyOrder(given.comparator);
  tree.merge_operator = given.merge_operator;
  return tree;
}

manifest::FamilySettings SettingsOf(const ColumnFamilyOptions& given) {
  return {given.compression, given.compression_level, given.filter_bits_per_key,
          static_cast<uint64_t>(given.default_ttl.count())};
}

}  // namespace cambium::engine
