// TreeOptions: the options of one tree: key order, merge operator, and storage settings.
#ifndef CAMBIUM_ENGINE_STATE_TREE_OPTIONS_H_
#define CAMBIUM_ENGINE_STATE_TREE_OPTIONS_H_

#include <chrono>
#include <memory>

#include "absl/status/status.h"
#include "base/keys.h"
#include "cambium/merge_operator.h"
#include "cambium/options.h"

namespace cambium::engine {

// Plain data.
struct TreeOptions {
  TreeOptions() = default;
  // Sets the options of the default family.
  explicit TreeOptions(const Options& options)
      : order(options.comparator),
        merge_operator(options.merge_operator),
        compression(options.compression),
        compression_level(options.compression_level),
        filter_bits_per_key(options.filter_bits_per_key) {
    const auto given = options.families.find("default");
    if (given != options.families.end()) default_ttl = given->second.default_ttl;
  }

  KeyOrder order{BytewiseComparator()};
  std::shared_ptr<const MergeOperator> merge_operator;  // may be null
  Compression compression = Compression::kZstd;
  int compression_level = 1;
  double filter_bits_per_key = 10;
  std::chrono::milliseconds default_ttl{0};
  // Not ok if the family cannot be used, because the program did not give what it needs. Nothing
  // reads or changes its files then, and `order` is not valid.
  absl::Status refusal;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_STATE_TREE_OPTIONS_H_
