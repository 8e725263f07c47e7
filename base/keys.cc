#include "base/keys.h"

#include "util/checksum.h"

namespace cambium {

LookupKey::LookupKey(std::string_view user_key, SequenceNumber at_sequence, const KeyOrder& order)
    : key(user_key),
      sequence(at_sequence),
      hash(order.comparator_identical() ? HashKey(user_key) : 0),
      head(order.Head(user_key)) {}

}  // namespace cambium
