#include "tests/stress/model/contents.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "util/random.h"

namespace cambium::stress {
namespace {

constexpr size_t kHeader = 8;
constexpr size_t kLargeLeast = 50 * 1024;
constexpr size_t kLargeSpread = 40 * 1024;

// The words that fill a value. Half of the values repeat one word, so that they compress.
// Thread-compatible.
class Filler {
 public:
  explicit Filler(uint64_t mix) : step_((mix & 1) != 0 ? mix | 1 : 0), word_(mix) {}
  uint64_t Next() {
    word_ += step_;
    return word_ ^ (step_ == 0 ? 0 : word_ >> 29);
  }

 private:
  const uint64_t step_;
  uint64_t word_;
};

uint64_t ShortBits(std::string_view value) {
  uint64_t bits = 0;
  std::memcpy(&bits, value.data(), value.size());
  return bits | uint64_t{value.size()} << 56;
}

}  // namespace

std::string Seen::ToString() const {
  switch (kind) {
    case Kind::kAbsent:
      return "absent";
    case Kind::kShort:
      return absl::StrCat("a value of ", bits >> 56, " bytes");
    case Kind::kVersion:
      return absl::StrCat("version ", bits);
    case Kind::kWrong:
      return "a value that was never written there";
  }
  return "";
}

uint64_t Contents::Mix(uint32_t key, uint32_t version) const {
  return MixBits(seed_ ^ MixBits(uint64_t{key} << 32 | version));
}

std::optional<size_t> Contents::SizeOf(uint32_t key, uint32_t version) const {
  if (version == 0) return std::nullopt;
  const uint64_t mix = Mix(key, version);
  auto draw = static_cast<uint32_t>(mix >> 16 & 0xffff) % 10'000;
  const uint64_t spread = mix >> 32;
  const auto falls = [&draw](uint32_t share) {
    if (draw < share) return true;
    draw -= share;
    return false;
  };
  if (falls(shape_.deletions)) return std::nullopt;
  if (falls(shape_.empty)) return 0;
  if (falls(shape_.tiny)) return 1 + spread % (kHeader - 1);
  if (falls(shape_.large)) return kLargeLeast + spread % kLargeSpread;
  if (falls(shape_.huge)) return shape_.huge_bytes + spread % 1000;
  return kHeader + spread % shape_.medium_bytes;
}

std::optional<std::string> Contents::Make(uint32_t key, uint32_t version) const {
  const std::optional<size_t> size = SizeOf(key, version);
  if (!size.has_value()) return std::nullopt;
  std::string value(*size, '\0');
  Filler filler(Mix(key, version));
  if (*size < kHeader) {
    const uint64_t word = filler.Next();
    std::memcpy(value.data(), &word, *size);
    return value;
  }
  std::memcpy(value.data(), &key, sizeof key);
  std::memcpy(value.data() + sizeof key, &version, sizeof version);
  for (size_t at = kHeader; at < *size; at += sizeof(uint64_t)) {
    const uint64_t word = filler.Next();
    std::memcpy(value.data() + at, &word, std::min(sizeof word, *size - at));
  }
  return value;
}

Seen Contents::Classify(uint32_t key, std::optional<std::string_view> value) const {
  if (!value.has_value()) return {};
  if (value->size() < kHeader) return {Seen::Kind::kShort, ShortBits(*value)};
  uint32_t named_key = 0, version = 0;
  std::memcpy(&named_key, value->data(), sizeof named_key);
  std::memcpy(&version, value->data() + sizeof named_key, sizeof version);
  const Seen wrong = {Seen::Kind::kWrong, 0};
  if (named_key != key || SizeOf(key, version) != value->size()) return wrong;
  Filler filler(Mix(key, version));
  for (size_t at = kHeader; at < value->size(); at += sizeof(uint64_t)) {
    const uint64_t word = filler.Next();
    if (std::memcmp(value->data() + at, &word, std::min(sizeof word, value->size() - at)) != 0) {
      return wrong;
    }
  }
  return {Seen::Kind::kVersion, version};
}

bool Contents::Explains(uint32_t key, uint32_t version, const Seen& seen) const {
  const std::optional<size_t> size = SizeOf(key, version);
  switch (seen.kind) {
    case Seen::Kind::kAbsent:
      return !size.has_value();
    case Seen::Kind::kShort:
      return size.has_value() && *size < kHeader && ShortBits(*Make(key, version)) == seen.bits;
    case Seen::Kind::kVersion:
      return version == seen.bits;
    case Seen::Kind::kWrong:
      return false;
  }
  return false;
}

}  // namespace cambium::stress
