// Contents: what each version of each key is, as a function of the seed.
//
// A value of 8 bytes or more begins with its key's number and its version (4 bytes each, as the
// machine has them); the rest of it follows from both. Shorter values follow from both too, but
// cannot name them. So a reader can check any value that it sees without knowing who wrote it.
#ifndef CAMBIUM_TESTS_STRESS_MODEL_CONTENTS_H_
#define CAMBIUM_TESTS_STRESS_MODEL_CONTENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/stress/settings.h"

namespace cambium::stress {

// What a reader found under one key. Plain data.
struct Seen {
  enum class Kind : uint8_t {
    kAbsent,
    kShort,    // a value below 8 bytes: `bits` has its bytes, and its size in the highest byte
    kVersion,  // a value that is right for version `bits`
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

  // The value of a version, or nothing where it is a deletion. Version 0 is always a deletion.
  std::optional<std::string> Make(uint32_t key, uint32_t version) const;
  // What `value`, or its absence, says about itself.
  Seen Classify(uint32_t key, std::optional<std::string_view> value) const;
  // Returns true if a reader of that version sees `seen`.
  bool Explains(uint32_t key, uint32_t version, const Seen& seen) const;

 private:
  // The size of a version's value, or nothing where it is a deletion.
  std::optional<size_t> SizeOf(uint32_t key, uint32_t version) const;
  uint64_t Mix(uint32_t key, uint32_t version) const;

  const uint64_t seed_;
  const ValueShape shape_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_MODEL_CONTENTS_H_
