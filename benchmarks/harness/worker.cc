#include "benchmarks/harness/worker.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "benchmarks/harness/clock.h"

namespace cambium::bench {
namespace {

constexpr int kOperationsALook = 16;  // reading the clock takes as long as a fast operation

Bounds BoundsOf(const Work& work, int64_t asked) {
  Bounds bounds;
  bounds.seconds = work.duration_seconds;
  if (asked >= 0) bounds.operations = asked;
  if (asked < 0 && work.duration_seconds == 0) bounds.operations = work.num;
  return bounds;
}

}  // namespace

Bounds ReadBounds(const Work& work) { return BoundsOf(work, work.reads); }
Bounds WriteBounds(const Work& work) { return BoundsOf(work, work.writes); }

Loop::Loop(Worker* worker, const Bounds& bounds)
    : worker_(worker),
      bounds_(bounds),
      with_latencies_(worker->shared->settings->Latencies()),
      started_(SteadyNanos()) {
  const Work& work = worker->work();
  if (bounds.seconds > 0) deadline_ = started_ + static_cast<uint64_t>(bounds.seconds * 1e9);
  if (bounds.is_paced && work.rate > 0) nanos_between_ = 1e9 * work.threads / work.rate;
}

bool Loop::More() {
  const Measured& measured = worker_->measured;
  if (ended_ || !measured.totals.error.empty()) return false;
  if (measured.operations() >= bounds_.operations) return false;
  if (nanos_between_ == 0) return deadline_ == 0 || !IsPastDeadline();
  // The threads take turns.
  const double turn = static_cast<double>(worker_->index) / worker_->work().threads;
  const double place = static_cast<double>(measured.operations()) + turn;
  due_ = started_ + static_cast<uint64_t>(place * nanos_between_);
  if (deadline_ != 0 && due_ >= deadline_) return false;
  WaitUntil(due_);
  return true;
}

bool Loop::IsPastDeadline() {
  if (--until_look_ > 0) return false;
  until_look_ = kOperationsALook;
  return SteadyNanos() >= deadline_;
}

void Loop::Done(const Outcome& outcome) {
  Measured& measured = worker_->measured;
  if (!outcome.status.ok()) worker_->Fail(outcome.status.ToString());
  measured.totals.read += outcome.read;
  measured.totals.written += outcome.written;
  if (outcome.count > 0) {
    if (nanos_between_ > 0) {
      measured.TimeFrom(outcome.kind, due_);
    } else if (with_latencies_) {
      measured.Time(outcome.kind);
    }
    measured.Count(outcome.count);
  }
  if (outcome.is_last) ended_ = true;
  if (outcome.written > 0) PayForWrite(outcome.written);
}

void Loop::PayForWrite(uint64_t bytes) {
  const uint64_t per_second = worker_->work().write_bytes_per_second;
  if (per_second == 0) return;
  const uint64_t price = bytes * 1'000'000'000 / per_second;
  std::atomic<uint64_t>& next = worker_->shared->next_write_nanos;
  // Unused time does not accumulate.
  uint64_t seen = next.load();
  uint64_t paid = 0;
  do {
    paid = std::max(seen, SteadyNanos()) + price;
  } while (!next.compare_exchange_weak(seen, paid));
  WaitUntil(paid);
  worker_->measured.Restart();
}

Outcome PutKey(Worker* worker, std::string_view value, Durability durability) {
  Outcome outcome;
  outcome.kind = Kind::kWrite;
  outcome.written = Bytes(worker->key, value);
  outcome.status = worker->session->Put(worker->key, value, durability);
  return outcome;
}

Outcome PutNumber(Worker* worker, uint64_t number) {
  const Shared& shared = *worker->shared;
  worker->MakeKeyOf(number);
  const Outcome put = PutKey(worker, shared.values->ValueOf(number), worker->work().durability);
  if (shared.live != nullptr) shared.live->Put(number, put.written);
  return put;
}

Outcome GetKey(Worker* worker, std::optional<std::string_view>* value) {
  Measured::Totals& totals = worker->measured.totals;
  value->reset();
  Outcome outcome;
  outcome.kind = Kind::kRead;
  outcome.status = worker->session->Get(worker->key, value);
  totals.found = std::max<int64_t>(totals.found, 0) + (value->has_value() ? 1 : 0);
  ++totals.asked;
  if (value->has_value()) outcome.read = Bytes(worker->key, **value);
  return outcome;
}

Outcome GetNumber(Worker* worker, uint64_t number) {
  worker->MakeKeyOf(number);
  std::optional<std::string_view> value;
  const Outcome got = GetKey(worker, &value);
  if (value.has_value()) CheckValue(worker, number, *value);
  return got;
}

Outcome Both(const Outcome& first, const Outcome& second) {
  Outcome both = first;
  both.kind = Kind::kUpdate;
  both.read += second.read;
  both.written += second.written;
  if (both.status.ok()) both.status = second.status;
  return both;
}

void CheckValue(Worker* worker, uint64_t number, std::string_view value) {
  if (!worker->shared->settings->report.verify) return;
  if (worker->shared->values->IsValueOf(number, value)) return;
  worker->Fail(absl::StrCat("the value of key ", number, " is not what was written"));
}

EntryCheck CheckEntries(Worker* worker) {
  if (!worker->shared->settings->report.verify) return nullptr;
  return [worker](std::string_view key, std::string_view value) {
    CheckValue(worker, NumberOf(key), value);
  };
}

}  // namespace cambium::bench
