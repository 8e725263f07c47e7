// Contents: the value of each version of each key, as a function of the seed.
//
// A value of 8 bytes or more begins with its key's number and its version (4 bytes each, in native
// byte order); the rest of it is a function of both. Shorter values are also functions of both, but
// cannot contain them. Therefore a reader can check any value without knowing its writer.
#ifndef CAMBIUM_TESTS_STRESS_MODEL_CONTENTS_H_
#define CAMBIUM_TESTS_STRESS_MODEL_CONTENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/stress/settings.h"

namespace cambium::stress {

// The result of a read of one key. Plain data.
struct Seen {
  enum class Kind : uint8_t {
    kAbsent,
    kShort,    // a value below 8 bytes: `bits` contains its bytes, and its size in the highest byte
    kVersion,  // a correct value of version `bits`
    kWrong,    // a value that no version of the key has
  };
  Kind kind = Kind::kAbsent;
  uint64_t bits = 0;

  bool operator==(const Seen&) const = default;
  std::string ToString() const;
};

// Immutable after construction.
class Contents {
 public:
  Contents(uint64_t seed, const ValueShape& shape) : seed_(seed), shape_(shape) {}

  // Returns the value of a version, or nothing if it is a deletion. Version 0 is always a deletion.
  std::optional<std::string> Make(uint32_t key, uint32_t version) const;
  // Classifies `value`, or its absence.
  Seen Classify(uint32_t key, std::optional<std::string_view> value) const;
  // Returns true if a reader of that version sees `seen`.
  bool Explains(uint32_t key, uint32_t version, const Seen& seen) const;

 private:
  // Returns the size of a version's value, or nothing if it is a deletion.
  std::optional<size_t> SizeOf(uint32_t key, uint32_t version) const;
  uint64_t Mix(uint32_t key, uint32_t version) const;

  const uint64_t seed_;
  const ValueShape shape_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_MODEL_CONTENTS_H_
