// The subjects of the conformance suite: every iterator of the library, over given entries.
#ifndef CAMBIUM_TESTS_ITERATORS_SUBJECTS_H_
#define CAMBIUM_TESTS_ITERATORS_SUBJECTS_H_

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/keys.h"
#include "tests/support/vector_iterator.h"

namespace cambium::test {

// A position in sorted entries, for any kind of iterator. Thread-compatible.
class Cursor {
 public:
  virtual ~Cursor() = default;

  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view key, Trailer trailer) = 0;
  virtual void SeekForPrev(std::string_view key, Trailer trailer) = 0;
  virtual void Next() = 0;
  virtual void Prev() = 0;
  // Returns the current entry, or nullopt.
  virtual std::optional<OwnedEntry> Here() const = 0;
  virtual absl::Status status() const = 0;
};

// Contains entries, and creates cursors over them. Thread-compatible.
class Subject {
 public:
  virtual ~Subject() = default;

  // `entries` must be in order, no two with the same key and sequence number. Call it once.
  virtual void Fill(std::vector<OwnedEntry> entries) = 0;
  // The subject must outlive the cursor.
  virtual std::unique_ptr<Cursor> NewCursor() = 0;
  // Makes entries in the middle unreadable for later cursors. Returns false if that is impossible.
  virtual bool Break() { return false; }

  // Returns the entries that a cursor returns for `entries`.
  virtual std::vector<OwnedEntry> VisibleEntries(std::vector<OwnedEntry> entries) const {
    return entries;
  }
  // Returns true if cursors return every version of a key: then seeks also use the trailer.
  virtual bool shows_versions() const { return true; }
  virtual bool may_be_empty() const { return true; }
};

struct SubjectKind {
  std::string name;
  std::unique_ptr<Subject> (*make)();
};
inline void PrintTo(const SubjectKind& kind, std::ostream* out) { *out << kind.name; }
const std::vector<SubjectKind>& AllSubjects();

}  // namespace cambium::test

#endif  // CAMBIUM_TESTS_ITERATORS_SUBJECTS_H_
