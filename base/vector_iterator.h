// An iterator over entries that are held in memory, sorted: for small sets, and for tests.
#ifndef CAMBIUM_BASE_VECTOR_ITERATOR_H_
#define CAMBIUM_BASE_VECTOR_ITERATOR_H_

#include <memory>
#include <string>
#include <vector>

#include "base/internal_iterator.h"
#include "base/keys.h"

namespace cambium {

// One entry, owned. Plain data.
struct OwnedEntry {
  std::string key;
  Tag tag = 0;
  std::string value;
};

// Requires: `entries` are in the order of base/keys.h under `order`, no two with the same key and
// tag.
std::unique_ptr<InternalIterator> NewVectorIterator(const KeyOrder& order,
                                                    std::vector<OwnedEntry> entries);

}  // namespace cambium

#endif  // CAMBIUM_BASE_VECTOR_ITERATOR_H_
