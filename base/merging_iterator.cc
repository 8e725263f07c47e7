#include "base/merging_iterator.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

namespace cambium {
namespace {

// Immutable after construction.
class EmptyIterator final : public InternalIterator {
 public:
  explicit EmptyIterator(absl::Status status) : status_(std::move(status)) {}

  void SeekToFirst() override {}
  void SeekToLast() override {}
  void Seek(std::string_view, Trailer) override {}
  void SeekForPrev(std::string_view, Trailer) override {}
  void Next() override {}
  void Prev() override {}
  absl::Status status() const override { return status_; }

 private:
  const absl::Status status_;
};

// Thread-compatible.
class MergingIterator final : public InternalIterator {
 public:
  MergingIterator(const KeyOrder& order, std::vector<std::unique_ptr<InternalIterator>> children)
      : order_(order), losers_(children.size()) {
    assert(children.size() >= 2);
    leaves_.reserve(children.size());
    for (auto& child : children) leaves_.push_back(Leaf{0, false, std::move(child)});
  }

  void SeekToFirst() override {
    StartAll(Direction::kForward, [](InternalIterator* child) { child->SeekToFirst(); });
  }
  void SeekToLast() override {
    StartAll(Direction::kBackward, [](InternalIterator* child) { child->SeekToLast(); });
  }
  void Seek(std::string_view key, Trailer trailer) override {
    StartAll(Direction::kForward, [=](InternalIterator* child) { child->Seek(key, trailer); });
  }
  void SeekForPrev(std::string_view key, Trailer trailer) override {
    StartAll(Direction::kBackward,
             [=](InternalIterator* child) { child->SeekForPrev(key, trailer); });
  }

  void Next() override {
    assert(Valid());
    if (direction_ != Direction::kForward) Turn(Direction::kForward);
    if (!status_.ok()) return;
    leaves_[winner_].child->Next();
    Settle();
  }
  void Prev() override {
    assert(Valid());
    if (direction_ != Direction::kBackward) Turn(Direction::kBackward);
    if (!status_.ok()) return;
    leaves_[winner_].child->Prev();
    Settle();
  }

  absl::Status status() const override { return status_; }

 private:
  enum class Direction : uint8_t { kForward, kBackward };

  struct Leaf {
    // The abbreviated key of the child's key, complemented for backward iteration: the smaller
    // comes first. The greatest number if the child is at its end.
    uint64_t rank;
    bool live;  // whether the child is at an entry
    std::unique_ptr<InternalIterator> child;
  };
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();

  // Updates a leaf from its child's current entry and status.
  void Look(Leaf* leaf) {
    leaf->live = leaf->child->Valid();
    if (leaf->live) [[likely]] {
      const uint64_t abbreviated = order_.Abbreviate(leaf->child->key());
      leaf->rank = direction_ == Direction::kForward ? abbreviated : ~abbreviated;
      return;
    }
    leaf->rank = UINT64_MAX;
    status_.Update(leaf->child->status());
  }

  // Returns true if leaf `a` comes before leaf `b` in the direction of iteration.
  bool Before(size_t a, size_t b) const {
    const uint64_t rank_a = leaves_[a].rank;
    const uint64_t rank_b = leaves_[b].rank;
    return rank_a != rank_b ? rank_a < rank_b : BeforeByKey(a, b);
  }
  bool BeforeByKey(size_t a, size_t b) const {
    if (!leaves_[a].live || !leaves_[b].live) return leaves_[a].live;
    const InternalIterator& entry_a = *leaves_[a].child;
    const InternalIterator& entry_b = *leaves_[b].child;
    int order =
        order_.CompareEntries(entry_a.key(), entry_a.trailer(), entry_b.key(), entry_b.trailer());
    if (order == 0) order = a < b ? -1 : 1;
    return (order < 0) == (direction_ == Direction::kForward);
  }

  template <typename Start>
  void StartAll(Direction direction, Start start) {
    direction_ = direction;
    status_ = absl::OkStatus();
    for (Leaf& leaf : leaves_) {
      start(leaf.child.get());
      Look(&leaf);
      if (!status_.ok()) return SetInvalid();
    }
    PlayAll();
    Show();
  }

  // Moves every child to the position that iteration in the other direction would have given it.
  // The winner does not move and wins again: its key's bytes are used for the others' seeks.
  void Turn(Direction direction) {
    direction_ = direction;
    const std::string_view at_key = key();
    const Trailer at_trailer = trailer();
    for (size_t i = 0; i < leaves_.size(); ++i) {
      InternalIterator* const child = leaves_[i].child.get();
      if (i != winner_) {
        if (direction == Direction::kForward) {
          child->Seek(at_key, at_trailer);
          if (i < winner_ && StandsAt(*child, at_key, at_trailer)) child->Next();
        } else {
          child->SeekForPrev(at_key, at_trailer);
          if (i > winner_ && StandsAt(*child, at_key, at_trailer)) child->Prev();
        }
      }
      Look(&leaves_[i]);
      if (!status_.ok()) return SetInvalid();
    }
    PlayAll();
  }

  bool StandsAt(const InternalIterator& child, std::string_view at_key, Trailer at_trailer) const {
    return child.Valid() && child.trailer() == at_trailer && order_.Equal(child.key(), at_key);
  }

  // Finds the new winner after its child has moved.
  void Settle() {
    Look(&leaves_[winner_]);
    if (!status_.ok()) [[unlikely]]
      return SetInvalid();
    if (runner_up_ == kNone || !Before(winner_, runner_up_)) Replay();
    Show();
  }

  // Returns the node above leaf i; the one above node n is n / 2; the root is node 1.
  size_t NodeAbove(size_t leaf) const { return (leaf + leaves_.size()) / 2; }

  void Replay() {
    const size_t last_winner = winner_;
    assert(winner_ < leaves_.size() && runner_up_ != winner_);
    for (size_t node = NodeAbove(winner_); node > 0; node /= 2) {
      if (Before(losers_[node], winner_)) std::swap(losers_[node], winner_);
    }
    runner_up_ = winner_ == last_winner ? BestLoser() : kNone;
  }

  // Every other child lost to one of those on the winner's path, or to the winner.
  size_t BestLoser() const {
    size_t node = NodeAbove(winner_);
    assert(node > 0 && node < losers_.size());
    size_t best = losers_[node];
    while ((node /= 2) > 0) {
      if (Before(losers_[node], best)) best = losers_[node];
    }
    return best;
  }

  void PlayAll() {
    winner_ = Play(1);
    runner_up_ = kNone;
  }
  // Plays the matches below a node; returns its winner. The recursion depth is the logarithm of the
  // number of children.
  size_t Play(size_t node) {
    if (node >= leaves_.size()) return node - leaves_.size();
    size_t winner = Play(2 * node);
    size_t loser = Play(2 * node + 1);
    if (Before(loser, winner)) std::swap(loser, winner);
    losers_[node] = loser;
    assert(winner != loser && !Before(loser, winner));
    return winner;
  }

  void Show() {
    const Leaf& leaf = leaves_[winner_];
    if (!leaf.live) return SetInvalid();
    SetEntry(leaf.child->key(), leaf.child->trailer(), leaf.child->value());
  }

  const KeyOrder order_;
  std::vector<Leaf> leaves_;    // at least two
  std::vector<size_t> losers_;  // indexed by node; [0] is not used
  size_t winner_ = 0;
  size_t runner_up_ = kNone;  // the first of all but the winner, if known
  Direction direction_ = Direction::kForward;
  absl::Status status_;
};

}  // namespace

std::unique_ptr<InternalIterator> NewEmptyIterator(absl::Status status) {
  return std::make_unique<EmptyIterator>(std::move(status));
}

std::unique_ptr<InternalIterator> NewMergingIterator(
    const KeyOrder& order, std::vector<std::unique_ptr<InternalIterator>> children) {
  if (children.empty()) return NewEmptyIterator();
  if (children.size() == 1) return std::move(children.front());
  return std::make_unique<MergingIterator>(order, std::move(children));
}

}  // namespace cambium
