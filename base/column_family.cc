#include "cambium/column_family.h"

#include <utility>

namespace cambium {

ColumnFamily::ColumnFamily(std::string name, uint32_t id, uint64_t database,
                           std::shared_ptr<engine::Tree> tree)
    : name_(std::move(name)), id_(id), database_(database), tree_(std::move(tree)) {}
ColumnFamily::~ColumnFamily() = default;

}  // namespace cambium
