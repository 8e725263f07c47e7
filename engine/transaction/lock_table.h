// LockTable: the keys that pessimistic transactions have locked.
//
//   transaction 1 ──has──▶ "a" ◀──waits── transaction 2 ──has──▶ "b" ◀──waits── transaction 3
//
// A lock is exclusive. Waiting transactions get it in the order of their requests: the one that
// releases it hands it over. A transaction waits for one lock at a time, so the transactions that
// wait for each other form chains, and a request that would close a chain to a cycle is refused at
// once. Plain writes know nothing of locks: transactions validate at the commit, too.
#ifndef CAMBIUM_ENGINE_TRANSACTION_LOCK_TABLE_H_
#define CAMBIUM_ENGINE_TRANSACTION_LOCK_TABLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engine/tree/trees.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe.
class LockTable {
 public:
  // A key of a tree. Plain data.
  struct Name {
    TreeRef tree;
    std::string key;
  };
  // The same without a copy.
  struct NameView {
    const Tree* tree;
    std::string_view key;
  };
  // The order of names: by the family's id, then by its own order of keys.
  struct Before {
    using is_transparent = void;
    static NameView View(const Name& name) { return {name.tree.get(), name.key}; }
    static NameView View(const NameView& name) { return name; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      const NameView left = View(a), right = View(b);
      if (left.tree->id() != right.tree->id()) return left.tree->id() < right.tree->id();
      return left.tree->order().Less(left.key, right.key);
    }
  };
  struct Holder;
  struct Lock {
    Holder* owner = nullptr;
    std::vector<Holder*> queue;  // who waits, first come, first served
  };
  using Locks = std::map<Name, Lock, Before>;
  // The locks of one transaction. Only the table uses the members, under its mutex.
  struct Holder {
    std::vector<Locks::iterator> held;  // in the order of acquisition
    const Locks::value_type* awaited = nullptr;
    bool granted = false;
    CondVar changed;
  };

  LockTable() = default;
  LockTable(const LockTable&) = delete;
  LockTable& operator=(const LockTable&) = delete;

  // Returns ok if the holder has the lock; sets *is_new to whether it did not have it before. Waits
  // that long in real time, then returns DeadlineExceeded. Returns Aborted, naming both keys, if it
  // would wait for itself, and FailedPrecondition after Close().
  absl::Status Acquire(Holder* holder, const TreeRef& tree, std::string_view key,
                       uint64_t timeout_millis, bool* is_new);
  // Releases the lock that was acquired last.
  void ReleaseLast(Holder* holder);
  void ReleaseAll(Holder* holder);

  // Ends all waits, now and later.
  void Close();

 private:
  absl::Status CheckCycle(const Holder* holder, const Locks::value_type& wanted) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Wait(Holder* holder, Locks::iterator wanted, uint64_t timeout_millis)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Hands the lock over, or moves it to `released`, to be destroyed without the mutex: it may hold
  // the last reference to a tree.
  void Release(Locks::iterator lock, Locks* released) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;  // a leaf lock
  Locks locks_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_TRANSACTION_LOCK_TABLE_H_
