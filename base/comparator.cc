#include "cambium/comparator.h"

#include <algorithm>

namespace cambium {
namespace {

class BytewiseComparatorImpl final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return a.compare(b); }
  const char* Name() const override { return "cambium.BytewiseComparator"; }
  bool EqualMeansIdentical() const override { return true; }

  void FindShortestSeparator(std::string* start, std::string_view limit) const override {
    const size_t shorter = std::min(start->size(), limit.size());
    size_t same = 0;
    while (same < shorter && (*start)[same] == limit[same]) ++same;
    // If one is a prefix of the other there is no shorter key between them.
    if (same == shorter) return;
    const auto byte = static_cast<unsigned char>((*start)[same]);
    if (byte + 1 >= static_cast<unsigned char>(limit[same])) return;
    start->resize(same + 1);
    start->back() = static_cast<char>(byte + 1);
  }

  void FindShortSuccessor(std::string* key) const override {
    for (size_t i = 0; i < key->size(); ++i) {
      const auto byte = static_cast<unsigned char>((*key)[i]);
      if (byte == 0xff) continue;
      key->resize(i + 1);
      key->back() = static_cast<char>(byte + 1);
      return;
    }
  }
};

}  // namespace

Comparator::~Comparator() = default;
void Comparator::FindShortestSeparator(std::string*, std::string_view) const {}
void Comparator::FindShortSuccessor(std::string*) const {}

const Comparator* BytewiseComparator() {
  // Never destroyed: databases may close while static objects are destroyed.
  static const Comparator* const comparator = new BytewiseComparatorImpl;
  return comparator;
}

}  // namespace cambium
