#include "engine/read/db_iterator.h"

#include <cassert>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/key_fold.h"
#include "util/coding.h"
#include "util/out_of_memory.h"
#include "util/process.h"

namespace cambium::engine {
namespace {

using Answer = KeyFold::Answer;

// Before every version of a key, and behind every one (but a tag of 0, which is a version itself).
constexpr Tag kNewestTag = UINT64_MAX;
constexpr Tag kOldestTag = 0;

// So many versions of one key are stepped over before the rest is passed by a seek: a seek costs
// about as much.
constexpr int kMaxSteps = 8;

// Keys that follow each other often have one length and differ at their end: it is compared first.
inline bool SameBytes(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() < sizeof(uint64_t)) return a == b;
  const size_t tail = a.size() - sizeof(uint64_t);
  if (LoadFixed64(a.data() + tail) != LoadFixed64(b.data() + tail)) return false;
  return std::memcmp(a.data(), b.data(), tail) == 0;
}

// Belongs to one thread at a time.
class DBIterator final : public Iterator {
 public:
  explicit DBIterator(DBIteratorArgs args)
      : args_(std::move(args)),
        identical_(args_.order.comparator_identical()),
        lower_head_(args_.lower_bound.has_value() ? args_.order.Head(*args_.lower_bound) : 0),
        upper_head_(args_.upper_bound.has_value() ? args_.order.Head(*args_.upper_bound) : 0) {}
  ~DBIterator() override {
    if (args_.open != nullptr && args_.open->forked()) Abandon(std::move(args_));
  }

  bool Valid() const override { return valid_; }
  std::string_view key() const override {
    assert(valid_);
    return key_;
  }
  std::string_view value() const override {
    assert(valid_);
    return value_;
  }
  absl::Status status() const override { return status_; }

  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view target) override;
  void SeekForPrev(std::string_view target) override;
  void Next() override;
  void Prev() override;

 private:
  enum class Direction : uint8_t { kForward, kBackward };

  InternalIterator* input() const { return args_.input.get(); }
  Tag seek_tag() const { return SeekTag(args_.sequence); }

  // Returns true, and has ended, if the database takes no calls any more.
  bool Refused() {
    if (args_.open == nullptr) return false;
    absl::Status open = args_.open->Check();
    if (open.ok()) [[likely]]
      return false;
    End(std::move(open));
    return true;
  }
  template <typename Body>
  void EndIfOutOfMemory(Body body) {
    if (!IfMemoryAllows(body)) [[unlikely]]
      End(OutOfMemory());
  }
  void Start(Direction direction);
  // Finds the first key to show at or after the input's, which is the first of its key that may be
  // seen.
  void FindForward();
  // Feeds the fold the older versions of saved_key_ until it has decided or there are none left.
  void FeedOlder(KeyFold* fold);
  // Moves the input past the versions of saved_key_, on which it may stand.
  void PassForward();
  void PassBackward();
  // Finds the last key to show at or before the input's, on whose oldest version the input stands.
  void FindBackward();
  // The answer for saved_key_, on whose oldest version the input stands; the input then stands
  // before all its versions. Copies the value.
  Answer FoldBackward();
  Answer FoldBySeek();
  // What the entry that the input stands on answers, where it is the newest that may be seen.
  Answer TakeVersion(Answer answer);

  bool StandsOnSaved() const { return input()->Valid() && SameAsSaved(input()->key()); }
  bool SameAsSaved(std::string_view other) const {
    if (identical_) [[likely]]
      return SameBytes(saved_key_, other);
    return args_.order.Compare(saved_key_, other) == 0;
  }
  // Heads decide for most keys.
  bool BelowLower(std::string_view at) const {
    if (!args_.lower_bound.has_value()) return false;
    const uint64_t head = args_.order.Head(at);
    if (head != lower_head_) return head < lower_head_;
    return args_.order.Less(at, *args_.lower_bound);
  }
  bool PastUpper(std::string_view at) const {
    if (!args_.upper_bound.has_value()) return false;
    const uint64_t head = args_.order.Head(at);
    if (head != upper_head_) return head > upper_head_;
    return !args_.order.Less(at, *args_.upper_bound);
  }

  void Show(std::string_view at_key, std::string_view its_value) {
    key_ = at_key;
    value_ = its_value;
    valid_ = true;
  }
  void End(absl::Status status) {
    valid_ = false;
    status_ = args_.open == nullptr ? std::move(status) : args_.open->Outcome(std::move(status));
  }
  void EndUnsupported() {
    End(absl::UnimplementedError(absl::StrCat("read: an entry of kind ",
                                              static_cast<int>(unsupported_),
                                              "; this release knows values and deletions")));
  }

  DBIteratorArgs args_;
  const bool identical_;                    // whether equal keys are the same bytes
  const uint64_t lower_head_, upper_head_;  // the bounds'
  std::string_view key_, value_;
  // Forward: scratch. Backward: what is shown.
  std::string saved_key_, saved_value_;
  absl::Status status_;
  Kind unsupported_ = Kind::kDelete;  // the kind last met that no answer could be given for
  Direction direction_ = Direction::kForward;
  bool valid_ = false;
};

void DBIterator::Start(Direction direction) {
  direction_ = direction;
  status_ = absl::OkStatus();
  if (args_.stats != nullptr) args_.stats->Add(Counter::kSeeks, 1);
}

void DBIterator::SeekToFirst() {
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    Start(Direction::kForward);
    if (args_.lower_bound.has_value()) {
      input()->Seek(*args_.lower_bound, seek_tag());
    } else {
      input()->SeekToFirst();
    }
    FindForward();
  });
}

void DBIterator::SeekToLast() {
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    Start(Direction::kBackward);
    if (args_.upper_bound.has_value()) {
      input()->SeekForPrev(*args_.upper_bound, kNewestTag);
    } else {
      input()->SeekToLast();
    }
    FindBackward();
  });
}

void DBIterator::Seek(std::string_view target) {
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    Start(Direction::kForward);
    saved_key_.assign(target);  // `target` may be this iterator's own key
    input()->Seek(BelowLower(saved_key_) ? *args_.lower_bound : saved_key_, seek_tag());
    FindForward();
  });
}

void DBIterator::SeekForPrev(std::string_view target) {
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    if (PastUpper(target)) return SeekToLast();
    Start(Direction::kBackward);
    saved_key_.assign(target);
    input()->SeekForPrev(saved_key_, kOldestTag);
    FindBackward();
  });
}

void DBIterator::Next() {
  assert(valid_);
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    if (direction_ == Direction::kForward) [[likely]] {
      saved_key_.assign(key_);
      input()->Next();
    } else {
      // The input stands before the versions of saved_key_, which is shown.
      direction_ = Direction::kForward;
      if (input()->Valid()) {
        input()->Next();
      } else {
        input()->Seek(saved_key_, kNewestTag);
      }
    }
    PassForward();
    FindForward();
  });
}

void DBIterator::Prev() {
  assert(valid_);
  EndIfOutOfMemory([&] {
    if (Refused()) return;
    if (direction_ == Direction::kForward) {
      direction_ = Direction::kBackward;
      saved_key_.assign(key_);
      PassBackward();
    }
    FindBackward();
  });
}

void DBIterator::PassForward() {
  for (int steps = 0; StandsOnSaved(); ++steps) {
    if (steps == kMaxSteps) {
      input()->Seek(saved_key_, kOldestTag);
    } else {
      input()->Next();
    }
  }
}

void DBIterator::PassBackward() {
  for (int steps = 0; StandsOnSaved(); ++steps) {
    if (steps == kMaxSteps) {
      input()->SeekForPrev(saved_key_, kNewestTag);
    } else {
      input()->Prev();
    }
  }
}

void DBIterator::FindForward() {
  while (input()->Valid()) {
    const std::string_view at = input()->key();
    if (PastUpper(at)) return End(absl::OkStatus());
    KeyFold fold(args_.sequence);
    if (fold.Feed(input()->tag()) == Answer::kValue) [[likely]] {
      return Show(at, input()->value());
    }
    saved_key_.assign(at);
    FeedOlder(&fold);
    if (fold.answer() == Answer::kValue) return Show(input()->key(), input()->value());
    if (fold.answer() == Answer::kUnsupported) {
      unsupported_ = TagKind(input()->tag());
      return EndUnsupported();
    }
    PassForward();
  }
  End(input()->status());
}

void DBIterator::FeedOlder(KeyFold* fold) {
  for (int steps = 0; !fold->decided(); ++steps) {
    if (steps == kMaxSteps) {
      input()->Seek(saved_key_, seek_tag());
    } else {
      input()->Next();
    }
    if (!StandsOnSaved()) return;
    fold->Feed(input()->tag());
  }
}

void DBIterator::FindBackward() {
  while (input()->Valid()) {
    if (BelowLower(input()->key())) return End(absl::OkStatus());
    saved_key_.assign(input()->key());
    const Answer answer = FoldBackward();
    // Where the input stopped short, newer versions of the key may be behind the error.
    if (!input()->Valid() && !input()->status().ok()) break;
    if (answer == Answer::kValue) return Show(saved_key_, saved_value_);
    if (answer == Answer::kUnsupported) return EndUnsupported();
  }
  End(input()->status());
}

Answer DBIterator::FoldBackward() {
  Answer answer = Answer::kMore;
  for (int steps = 0; StandsOnSaved(); ++steps) {
    if (steps == kMaxSteps) return FoldBySeek();
    answer = TakeVersion(answer);
    input()->Prev();
  }
  return answer;
}

Answer DBIterator::FoldBySeek() {
  Answer answer = Answer::kMore;
  input()->Seek(saved_key_, seek_tag());
  if (StandsOnSaved()) answer = TakeVersion(answer);
  if (!input()->Valid() && !input()->status().ok()) return answer;
  input()->SeekForPrev(saved_key_, kNewestTag);
  return answer;
}

Answer DBIterator::TakeVersion(Answer answer) {
  KeyFold fold(args_.sequence);
  fold.Feed(input()->tag());
  if (!fold.decided()) return answer;  // newer than may be seen
  if (fold.answer() == Answer::kValue) {
    saved_value_.assign(input()->value());
    // Equal keys of a custom order may be spelt differently: the newest version's is shown.
    if (!identical_) saved_key_.assign(input()->key());
  } else if (fold.answer() == Answer::kUnsupported) {
    unsupported_ = TagKind(input()->tag());
  }
  return fold.answer();
}

}  // namespace

std::unique_ptr<Iterator> NewDBIterator(DBIteratorArgs args) {
  return std::make_unique<DBIterator>(std::move(args));
}

}  // namespace cambium::engine
