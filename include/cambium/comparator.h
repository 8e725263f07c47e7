// Comparator: the order of user keys.
//
// A database is sorted by one comparator for its whole life; its name is stored and checked at
// Open.
#ifndef CAMBIUM_COMPARATOR_H_
#define CAMBIUM_COMPARATOR_H_

#include <string>
#include <string_view>

#include "cambium/export.h"

namespace cambium {

// A total order on byte strings. Implementations are stateless or immutable: every method may be
// called from several threads at once. A comparator must outlive each database opened with it.
class CAMBIUM_EXPORT Comparator {
 public:
  virtual ~Comparator();

  // Negative, zero or positive where `a` orders before, the same as, or after `b`.
  virtual int Compare(std::string_view a, std::string_view b) const = 0;

  // Stored in the database and compared at Open: change it whenever the order changes.
  virtual const char* Name() const = 0;

  // Whether Compare() answers 0 for identical byte strings only. Filters and fingerprints hash the
  // bytes of a key, so they are built and consulted only where this holds. The default is the safe
  // answer for an order in which different spellings may be equal.
  virtual bool EqualMeansIdentical() const { return false; }

  // May replace `*start` (start < limit) by a shorter key in [start, limit), to make indexes small.
  // The default leaves it alone.
  virtual void FindShortestSeparator(std::string* start, std::string_view limit) const;

  // May replace `*key` by a shorter key >= it. The default leaves it alone.
  virtual void FindShortSuccessor(std::string* key) const;
};

// Lexicographic order of unsigned bytes: the default. Never destroyed.
CAMBIUM_EXPORT const Comparator* BytewiseComparator();

}  // namespace cambium

#endif  // CAMBIUM_COMPARATOR_H_
