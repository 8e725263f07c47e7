#include "tests/stress/model/key_space.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tests/stress/noise.h"

namespace cambium::stress {
namespace {

constexpr size_t kDigits = 6;

// Immutable after construction.
class ReverseComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    MakeNoise(NoisePoint::kCompare);
    return b.compare(a);
  }
  const char* Name() const override { return "stress.Reverse"; }
  bool EqualMeansIdentical() const override { return true; }
};

// Immutable after construction.
class FoldedComparator final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override {
    MakeNoise(NoisePoint::kCompare);
    const size_t common = std::min(a.size(), b.size());
    for (size_t i = 0; i < common; ++i) {
      const int left = absl::ascii_tolower(static_cast<unsigned char>(a[i]));
      const int right = absl::ascii_tolower(static_cast<unsigned char>(b[i]));
      if (left != right) return left - right;
    }
    return a.size() < b.size() ? -1 : static_cast<int>(a.size() != b.size());
  }
  const char* Name() const override { return "stress.Folded"; }
};

std::string Numbered(char kind, uint32_t number) {
  return absl::StrCat(std::string(1, kind), absl::Hex(number, absl::kZeroPad6));
}

}  // namespace

const Comparator* ComparatorOf(Order order) {
  static const ReverseComparator* const reverse = new ReverseComparator;
  static const FoldedComparator* const folded = new FoldedComparator;
  if (order == Order::kReverse) return reverse;
  if (order == Order::kFolded) return folded;
  return BytewiseComparator();
}

KeySpace::KeySpace(const RoundSettings& settings) : order_(settings.order) {
  Random random(MixBits(settings.seed + settings.round));
  // Long keys are for small spaces: all of it stays a few megabytes.
  const size_t padding = std::min<size_t>(settings.key_padding, 4'000'000 / settings.keys);
  for (uint32_t i = 0; i < settings.keys; ++i) {
    names_.push_back(Numbered('k', i));
    if (padding > 0) names_.back().append(random.Uniform(padding + 1), 'p');
  }
}

std::string KeySpace::Spell(uint32_t key, Random* random) const {
  std::string name = names_[key];
  if (order_ != Order::kFolded) return name;
  for (char& c : name) {
    if (random->Uniform(2) == 0) c = absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return name;
}

std::string KeySpace::AccountName(uint32_t account) const { return Numbered('a', account); }

std::string KeySpace::Bound(uint32_t position) const {
  if (position < size()) return names_[AtPosition(position)];
  return order_ == Order::kReverse ? "k" : "l";
}

std::optional<uint32_t> KeySpace::Find(char kind, std::string_view name) const {
  if (name.size() < 1 + kDigits ||
      absl::ascii_tolower(static_cast<unsigned char>(name[0])) != kind) {
    return std::nullopt;
  }
  uint32_t number = 0;
  const char* const end = name.data() + 1 + kDigits;
  if (std::from_chars(name.data() + 1, end, number, 16).ptr != end) return std::nullopt;
  if (kind == 'a') return name.size() == 1 + kDigits ? std::optional(number) : std::nullopt;
  if (number >= names_.size()) return std::nullopt;
  const std::string& expected = names_[number];
  const bool same = order_ == Order::kFolded ? absl::AsciiStrToLower(std::string(name)) == expected
                                             : name == expected;
  return same ? std::optional(number) : std::nullopt;
}

}  // namespace cambium::stress
