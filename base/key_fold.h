// KeyFold: which version of a user key wins.
//
// Fed the versions of one user key from newest to oldest, as seen at one sequence number, it
// answers More (feed the next older one), Value or Deleted. Point read, scan and compaction all ask
// it: the rule stands in this file alone.
//
//   seen at 30:   Put@40  →  More      (newer than the reader)
//                 Put@25  →  Value     (the newest that the reader may see)
//   seen at 20:   Del@15  →  Deleted
//
// Everything is inline: on the path of a plain Get it must cost a compare and a branch.
#ifndef CAMBIUM_BASE_KEY_FOLD_H_
#define CAMBIUM_BASE_KEY_FOLD_H_

#include <cassert>
#include <cstdint>

#include "base/keys.h"

namespace cambium {

// Thread-compatible.
class KeyFold {
 public:
  enum class Answer : uint8_t {
    kMore,         // not decided: feed the next older version, or find the key absent
    kValue,        // the version just fed is the value
    kDeleted,      // the key has no value at that sequence number
    kUnsupported,  // the version just fed is of a kind that this release does not know
  };

  explicit KeyFold(SequenceNumber sequence) : limit_(SeekTag(sequence)) {}

  // Requires: `tag` is older than every tag fed before, or one of these, and the last answer was
  // kMore. So a search that was broken off may begin anew.
  Answer Feed(Tag tag) {
    assert(!decided());
    if (tag > limit_) return answer_;
    switch (TagKind(tag)) {
      case Kind::kValue:
        return answer_ = Answer::kValue;
      case Kind::kDelete:
      case Kind::kSingleDelete:
        return answer_ = Answer::kDeleted;
      default:
        return answer_ = Answer::kUnsupported;
    }
  }

  // The answer so far: kMore at the end of a key's versions means that the key is absent.
  Answer answer() const { return answer_; }
  bool decided() const { return answer_ != Answer::kMore; }

 private:
  Tag limit_;
  Answer answer_ = Answer::kMore;
};

}  // namespace cambium

#endif  // CAMBIUM_BASE_KEY_FOLD_H_
