#include "engine/write/memtable_switch.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/write/admission.h"
#include "engine/write/stall_timer.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

constexpr size_t kLeastCapacity = size_t{64} << 10;

}  // namespace

MemTableSwitch::MemTableSwitch(const WriteWorld& world) : world_(world) {
  for (const TreeRef& tree : world.trees->All()) {
    const MemSlot* const active = tree->active();
    if (!active->takes_writes()) continue;
    writable_.push_back(tree.get());
    reserved_ += active->reserved;
    charged_ += active->charge();
  }
}

absl::Status MemTableSwitch::MakeRoom(std::span<const TreeShare> shares, bool* made) {
  const Candidate obstacle = FindObstacle(shares);
  *made = obstacle.tree != nullptr;
  if (!*made) return absl::OkStatus();
  const bool wanted = std::any_of(shares.begin(), shares.end(), [&](const TreeShare& share) {
    return share.tree == obstacle.tree.get();
  });
  RETURN_IF_ERROR(wanted ? Switch(obstacle, Wanted::kYes) : SwitchUnlessDropped(obstacle));
  return obstacle.charge > 0 ? ShortenLog() : absl::OkStatus();
}

MemTableSwitch::Candidate MemTableSwitch::FindObstacle(std::span<const TreeShare> shares) {
  Candidate found;
  world_.pipeline->RunUnderCommitLock([&](SequenceNumber) {
    for (const TreeShare& share : shares) {
      MemSlot* const active = share.tree->active();
      if (!active->takes_writes()) {
        return void(found = {share.tree->shared_from_this(), active, 0});
      }
    }
    if (HasRoom(shares)) return;
    for (Tree* const tree : writable_) {
      const MemSlot* const active = tree->active();
      if (active->reserved > 0 && active->charge() > found.charge) {
        found = {tree->shared_from_this(), active, active->charge()};
      }
    }
    assert(found.tree != nullptr);  // if no memtable has a write, there is room
  });
  return found;
}

MemTableSwitch::Candidate MemTableSwitch::Look(TreeRef tree) {
  Candidate candidate{std::move(tree)};
  world_.pipeline->RunUnderCommitLock([&](SequenceNumber) {
    candidate.active = candidate.tree->active();
    candidate.charge = candidate.active->reserved == 0 ? 0 : candidate.active->charge();
  });
  return candidate;
}

bool MemTableSwitch::CanFreeze(const Candidate& candidate) const {
  if (candidate.charge == 0) return true;
  const size_t frozen = candidate.tree->Pin()->frozen.size();
  if (frozen >= static_cast<size_t>(world_.memory->plan.frozen_limit)) return false;
  const size_t frozen_bytes = world_.memory->frozen_bytes;
  return frozen_bytes == 0 || frozen_bytes + candidate.charge <= world_.memory->plan.frozen_bytes();
}

absl::Status MemTableSwitch::Switch(const Candidate& candidate, Wanted wanted) {
  assert(candidate.tree != nullptr && candidate.active != nullptr);
  const auto can_freeze = [&] { return CanFreeze(candidate); };
  for (bool switched = false; !switched;) {
    if (!can_freeze()) {
      const StallTimer timer(world_.stats, world_.storage->clock);
      RETURN_IF_ERROR(world_.jobs->Await(can_freeze));
    }
    MutexLock lock(&switch_mu_);
    while (paused_) resumed_.Wait(&switch_mu_);
    RETURN_IF_ERROR(world_.pipeline->status());
    // Drop() takes the same lock.
    RETURN_IF_ERROR(candidate.tree->Check());
    if (candidate.tree->active() != candidate.active) return absl::OkStatus();
    // Only under the lock is it certain that no other thread fills the room.
    switched = can_freeze();
    if (!switched) continue;
    std::shared_ptr<MemSlot> next = world_.memory->no_memtable;
    if (wanted == Wanted::kYes) {
      const size_t sharers = std::max<size_t>(1, world_.trees->size());
      next = std::make_shared<MemSlot>(
          candidate.tree->order(), &world_.memory->chunks,
          std::max(kLeastCapacity, world_.memory->plan.memtable_bytes / sharers));
    }
    Replace(candidate.tree.get(), std::move(next));
  }
  if (candidate.charge == 0) return absl::OkStatus();
  world_.admission->UpdateLoad();
  world_.jobs->Schedule();
  return absl::OkStatus();
}

void MemTableSwitch::Replace(Tree* tree, std::shared_ptr<MemSlot> next) {
  ReplacedView replaced;
  world_.pipeline->RunUnderCommitLock([&](SequenceNumber last_allocated) {
    assert(world_.pipeline->visible() <= last_allocated);
    if (next.get() == tree->active()) return;
    writable_.reserve(writable_.size() + 1);
    const bool takes_writes = next->takes_writes();
    const size_t overhead = next->overhead;
    const MemSlot* const old = tree->active();
    replaced = tree->ReplaceActive(std::move(next), last_allocated);
    Forget(tree, *old);
    if (!takes_writes) return;
    writable_.push_back(tree);
    charged_ += overhead;
  });
}

void MemTableSwitch::Forget(const Tree* tree, const MemSlot& active) {
  if (!active.takes_writes()) return;
  assert(reserved_ >= active.reserved && charged_ >= active.charge());
  reserved_ -= active.reserved;
  charged_ -= active.charge();
  std::erase(writable_, tree);
}

std::shared_ptr<const ReadView> MemTableSwitch::Drop(Tree* tree, Tree::Ending ending) {
  MutexLock lock(&switch_mu_);
  while (paused_) resumed_.Wait(&switch_mu_);
  const auto bracket = [&](const std::function<void()>& publish) {
    const auto action = [&](SequenceNumber) {
      Forget(tree, *tree->active());
      publish();
    };
    world_.pipeline->RunUnderCommitLock(std::ref(action));
  };
  return tree->Drop(std::move(ending), std::ref(bracket));
}

absl::Status MemTableSwitch::ShortenLog() {
  if (world_.log->LiveBytes() <= world_.memory->plan.log_bytes) return absl::OkStatus();
  TreeRef holder;
  uint64_t oldest = MemSlot::kNoSegment;
  for (const TreeRef& tree : world_.trees->All()) {
    if (!tree->usable()) continue;
    const uint64_t segment = tree->OldestSegment(nullptr);
    if (segment >= oldest) continue;
    oldest = segment;
    holder = tree;
  }
  // A tree with frozen memtables is already being flushed; one that was just flushed needs no
  // segment.
  if (holder == nullptr || !holder->Pin()->frozen.empty()) return absl::OkStatus();
  const Candidate candidate = Look(holder);
  return candidate.charge == 0 ? absl::OkStatus() : SwitchUnlessDropped(candidate);
}

absl::Status MemTableSwitch::SwitchUnlessDropped(const Candidate& candidate) {
  const absl::Status status = Switch(candidate, Wanted::kNo);
  return candidate.tree->Check().ok() ? status : absl::OkStatus();
}

absl::Status MemTableSwitch::FreezeActive(TreeRef tree) {
  const Candidate candidate = Look(std::move(tree));
  return candidate.charge == 0 ? absl::OkStatus() : Switch(candidate, Wanted::kYes);
}

absl::Status MemTableSwitch::Flush(std::span<const TreeRef> trees) {
  std::vector<Candidate> frozen;
  for (const TreeRef& tree : trees) {
    const Candidate candidate = Look(tree);
    if (candidate.charge > 0) RETURN_IF_ERROR(SwitchUnlessDropped(candidate));
    // Every memtable that is frozen now, regardless of its age.
    const std::shared_ptr<const ReadView> view = tree->Pin();
    if (!view->frozen.empty()) frozen.push_back({tree, view->frozen.front().get(), 0});
  }
  return world_.jobs->Await([&] {
    return std::all_of(frozen.begin(), frozen.end(), [](const Candidate& candidate) {
      const std::shared_ptr<const ReadView> view = candidate.tree->Pin();
      return std::none_of(view->frozen.begin(), view->frozen.end(),
                          [&](const auto& slot) { return slot.get() == candidate.active; });
    });
  });
}

void MemTableSwitch::Pause() {
  MutexLock lock(&switch_mu_);
  assert(!paused_);
  paused_ = true;
}

void MemTableSwitch::Resume() {
  MutexLock lock(&switch_mu_);
  paused_ = false;
  resumed_.SignalAll();
}

void MemTableSwitch::FreezeAll() {
  for (const TreeRef& tree : world_.trees->All()) {
    if (tree->active()->reserved > 0) Replace(tree.get(), world_.memory->no_memtable);
  }
}

}  // namespace cambium::engine
