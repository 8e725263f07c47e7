// Returns a found value to the caller of Get: as a copy, or as a pin.
#ifndef CAMBIUM_BASE_COPY_OR_PIN_H_
#define CAMBIUM_BASE_COPY_OR_PIN_H_

#include <cstddef>
#include <string_view>

#include "cambium/pinned_value.h"

namespace cambium {

// Values up to this size are copied; for longer ones the memory that contains them is pinned.
inline constexpr size_t kMaxCopiedValueSize = 1024;

// A reference to the memory of a value; release(argument) releases it.
struct ValuePin {
  void (*release)(void* argument) = nullptr;
  void* argument = nullptr;
};

// Sets *value to `found`. A long value is not copied: make_pin() returns the ValuePin that keeps
// its memory.
template <typename MakePin>
void CopyOrPin(std::string_view found, PinnedValue* value, const MakePin& make_pin) {
  if (found.size() <= kMaxCopiedValueSize) return value->Copy(found);
  const ValuePin pin = make_pin();
  value->Pin(found, pin.release, pin.argument);
}

}  // namespace cambium

#endif  // CAMBIUM_BASE_COPY_OR_PIN_H_
