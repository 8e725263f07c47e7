#include "tests/stress/model/history.h"

#include <cassert>
#include <chrono>

namespace cambium::stress {

uint64_t NowNanos() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

size_t OwnerHistory::AckedBefore(uint64_t moment) const {
  for (size_t i = writes.size(); i > 0; --i) {
    const LoggedWrite& write = writes[i - 1];
    if (write.outcome == Outcome::kAcked && write.acked_at < moment) return i;
  }
  return 0;
}

void OwnerLog::Begin(const std::vector<LoggedEdit>& edits, bool synced) {
  MutexLock lock(&mu_);
  LoggedWrite write;
  write.issued_at = NowNanos();
  write.first_edit = history_.edits.size();
  write.synced = synced;
  history_.writes.push_back(write);
  history_.edits.insert(history_.edits.end(), edits.begin(), edits.end());
}

void OwnerLog::End(Outcome outcome) {
  MutexLock lock(&mu_);
  assert(!history_.writes.empty() && history_.writes.back().outcome == Outcome::kPending);
  history_.writes.back().outcome = outcome;
  if (outcome == Outcome::kAcked) history_.writes.back().acked_at = NowNanos();
}

void OwnerLog::Refuse() {
  MutexLock lock(&mu_);
  assert(!history_.writes.empty() && history_.writes.back().outcome == Outcome::kPending);
  history_.edits.resize(history_.writes.back().first_edit);
  history_.writes.pop_back();
}

void OwnerLog::Clear() {
  MutexLock lock(&mu_);
  history_ = {};
}

OwnerHistory OwnerLog::Copy() const {
  MutexLock lock(&mu_);
  return history_;
}

}  // namespace cambium::stress
