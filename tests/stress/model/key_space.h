// KeySpace: the names of the keys and the accounts of a round, and their order.
//
// Key i is "k", six hexadecimal digits, and padding; account i is "a" and six digits. Adjacent keys
// belong to different workers, so that every block and every file contains keys of many workers.
#ifndef CAMBIUM_TESTS_STRESS_MODEL_KEY_SPACE_H_
#define CAMBIUM_TESTS_STRESS_MODEL_KEY_SPACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/comparator.h"
#include "tests/stress/settings.h"
#include "util/random.h"

namespace cambium::stress {

// Returns the comparator of that order. Never destroyed. All except kBytewise make schedule noise.
const Comparator* ComparatorOf(Order order);

// Immutable after construction.
class KeySpace {
 public:
  explicit KeySpace(const RoundSettings& settings);

  uint32_t size() const { return static_cast<uint32_t>(names_.size()); }
  const std::string& name(uint32_t key) const { return names_[key]; }
  // Returns one spelling of the name: with a folding order letters may have either case.
  std::string Spell(uint32_t key, Random* random) const;
  std::string AccountName(uint32_t account) const;

  // Return the key or the account with that name.
  std::optional<uint32_t> FindKey(std::string_view name) const { return Find('k', name); }
  std::optional<uint32_t> FindAccount(std::string_view name) const { return Find('a', name); }

  // Returns a key by its position in the order, in [0, size()).
  uint32_t AtPosition(uint32_t position) const {
    return order_ == Order::kReverse ? size() - 1 - position : position;
  }
  uint32_t PositionOf(uint32_t key) const { return AtPosition(key); }
  // Returns a bound that is below the key at `position` and above the previous one.
  std::string Bound(uint32_t position) const;
  // Return the bounds of all accounts.
  std::string AccountsBegin() const { return order_ == Order::kReverse ? "b" : "a"; }
  std::string AccountsEnd() const { return order_ == Order::kReverse ? "a" : "b"; }

 private:
  std::optional<uint32_t> Find(char kind, std::string_view name) const;

  const Order order_;
  std::vector<std::string> names_;
};

}  // namespace cambium::stress

#endif  // CAMBIUM_TESTS_STRESS_MODEL_KEY_SPACE_H_
