#include "engine/transaction/lock_table.h"

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/shown_key.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

absl::Status Closed() { return absl::FailedPreconditionError("lock: the database is closed"); }

}  // namespace

absl::Status LockTable::Acquire(Holder* holder, const TreeRef& tree, std::string_view key,
                                uint64_t timeout_millis, bool* is_new) {
  *is_new = false;
  // Created outside of the lock, inserted without an allocation.
  Locks fresh;
  fresh.emplace(Name{tree, std::string(key)}, Lock{holder, {}});
  MutexLock lock(&mutex_);
  if (closed_) return Closed();
  // Handing a lock over must not need memory.
  std::vector<Locks::iterator>& held = holder->held;
  if (held.size() == held.capacity()) held.reserve(2 * held.size() + 4);
  const auto [place, inserted, node] = locks_.insert(fresh.extract(fresh.begin()));
  if (!inserted && place->second.owner == holder) return absl::OkStatus();
  if (inserted) {
    held.push_back(place);
  } else {
    RETURN_IF_ERROR(CheckCycle(holder, *place));
    RETURN_IF_ERROR(Wait(holder, place, timeout_millis));
  }
  assert(place->second.owner == holder && held.back() == place);
  *is_new = true;
  return absl::OkStatus();
}

absl::Status LockTable::CheckCycle(const Holder* holder, const Locks::value_type& wanted) const {
  for (const Locks::value_type* next = &wanted; next != nullptr;) {
    const Holder* const owner = next->second.owner;
    if (owner == holder) {
      return absl::AbortedError(absl::StrCat(
          "deadlock: this transaction waits for ", ShownKey(wanted.first.key), ", and another for ",
          ShownKey(next->first.key), ", which this one has locked"));
    }
    next = owner->awaited;
  }
  return absl::OkStatus();
}

absl::Status LockTable::Wait(Holder* holder, Locks::iterator wanted, uint64_t timeout_millis) {
  std::vector<Holder*>& queue = wanted->second.queue;
  queue.push_back(holder);
  holder->awaited = &*wanted;
  holder->granted = false;
  const RealTime end = RealTimeAfter(timeout_millis);
  while (!holder->granted && !closed_ && holder->changed.WaitUntil(&mutex_, end)) continue;
  if (holder->granted) return absl::OkStatus();
  holder->awaited = nullptr;
  std::erase(queue, holder);
  if (closed_) return Closed();
  return absl::DeadlineExceededError(absl::StrCat("lock: another transaction has locked ",
                                                  ShownKey(wanted->first.key), " for ",
                                                  timeout_millis, " ms"));
}

void LockTable::Release(Locks::iterator lock, Locks* released) {
  std::vector<Holder*>& queue = lock->second.queue;
  if (queue.empty()) {
    released->insert(locks_.extract(lock));
    return;
  }
  Holder* const next = queue.front();
  queue.erase(queue.begin());
  lock->second.owner = next;
  assert(next->held.size() < next->held.capacity());
  next->held.push_back(lock);
  next->awaited = nullptr;  // now, not when it wakes: it must not seem to wait for itself
  next->granted = true;
  next->changed.Signal();
}

void LockTable::ReleaseLast(Holder* holder) {
  Locks released;
  MutexLock lock(&mutex_);
  assert(!holder->held.empty());
  Release(holder->held.back(), &released);
  holder->held.pop_back();
}

void LockTable::ReleaseAll(Holder* holder) {
  Locks released;
  MutexLock lock(&mutex_);
  for (const Locks::iterator held : holder->held) Release(held, &released);
  holder->held.clear();
}

void LockTable::Close() {
  MutexLock lock(&mutex_);
  closed_ = true;
  for (auto& [name, one] : locks_) {
    for (Holder* const waiting : one.queue) waiting->changed.Signal();
  }
}

}  // namespace cambium::engine
