// What the conformance suite walks over: every iterator of the library, made of given entries.
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

// A position in sorted entries, whatever iterator is behind it. Thread-compatible.
class Cursor {
 public:
  virtual ~Cursor() = default;

  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view key, Trailer trailer) = 0;
  virtual void SeekForPrev(std::string_view key, Trailer trailer) = 0;
  virtual void Next() = 0;
  virtual void Prev() = 0;
  // Returns the entry that it is on, or nullopt.
  virtual std::optional<OwnedEntry> Here() const = 0;
  virtual absl::Status status() const = 0;
};

// Holds entries, and makes cursors over them. Thread-compatible.
class Subject {
 public:
  virtual ~Subject() = default;

  // `entries` are in order, no two with the same key and sequence number. To be called once.
  virtual void Fill(std::vector<OwnedEntry> entries) = 0;
  // The subject outlives the cursor.
  virtual std::unique_ptr<Cursor> NewCursor() = 0;
  // Makes entries in the middle unreadable for cursors made from now on. Returns false if nothing
  // of the kind can happen.
  virtual bool Break() { return false; }

  // Returns what a cursor shows of `entries`.
  virtual std::vector<OwnedEntry> VisibleEntries(std::vector<OwnedEntry> entries) const {
    return entries;
  }
  // Returns true if the versions of a key are told apart: seeks go by trailer, too.
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
