// The iterator over nothing: an empty source, or one that could not be opened.
#ifndef CAMBIUM_BASE_EMPTY_ITERATOR_H_
#define CAMBIUM_BASE_EMPTY_ITERATOR_H_

#include <memory>

#include "absl/status/status.h"
#include "base/internal_iterator.h"

namespace cambium {

// Never Valid(); status() is `status`.
std::unique_ptr<InternalIterator> NewEmptyIterator(absl::Status status = absl::OkStatus());

}  // namespace cambium

#endif  // CAMBIUM_BASE_EMPTY_ITERATOR_H_
