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

  // Returns a negative number, zero or a positive number if `a` is less than, equal to or greater
  // than `b`.
  virtual int Compare(std::string_view a, std::string_view b) const = 0;

  // Returns the name that the database stores and Open checks. Change it if the order changes.
  virtual const char* Name() const = 0;

  // Returns true if Compare() returns 0 for identical byte strings only. Filters and fingerprints
  // hash the bytes of a key, so they are built and used only if this holds. The default, false, is
  // right for every order.
  virtual bool EqualMeansIdentical() const { return false; }

  // May replace `*start` (start < limit) by a shorter key in [start, limit), to make indexes small.
  // The default does nothing.
  virtual void FindShortestSeparator(std::string* start, std::string_view limit) const;

  // May replace `*key` by a shorter key >= it. The default does nothing.
  virtual void FindShortSuccessor(std::string* key) const;
};

// Returns the lexicographic order of unsigned bytes, the default. It is never destroyed.
CAMBIUM_EXPORT const Comparator* BytewiseComparator();

}  // namespace cambium

#endif  // CAMBIUM_COMPARATOR_H_
