#include "tests/stress/checks.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/stress/noise.h"

namespace cambium::stress {
namespace {

std::string Show(std::string_view key) { return absl::CEscape(std::string(key.substr(0, 24))); }

std::string AddBalance(const World& world, uint32_t account, std::string_view value,
                       std::vector<std::optional<int64_t>>* balances) {
  if (account >= balances->size()) return absl::StrCat("account ", account, " does not exist");
  if ((*balances)[account].has_value()) return absl::StrCat("account ", account, " comes twice");
  (*balances)[account] = world.ledger.Decode(account, value);
  if (!(*balances)[account].has_value()) {
    return absl::StrCat("account ", account, " has a value that was never written");
  }
  return "";
}

// Balances by a scan.
SumResult ScanAccounts(const World& world, DB* db, ReadOptions read, Direction direction,
                       std::vector<std::optional<int64_t>>* balances) {
  read.lower_bound = world.keys.AccountsBegin();
  read.upper_bound = world.keys.AccountsEnd();
  const auto it = db->NewIterator(read);
  const bool forward = direction == Direction::kForward;
  for (forward ? it->SeekToFirst() : it->SeekToLast(); it->Valid();
       forward ? it->Next() : it->Prev()) {
    const std::optional<uint32_t> account = world.keys.FindAccount(it->key());
    if (!account.has_value()) return {{}, absl::StrCat("unknown account ", Show(it->key()))};
    std::string problem = AddBalance(world, *account, it->value(), balances);
    if (!problem.empty()) return {{}, std::move(problem)};
    MakeNoise(NoisePoint::kCaller);
  }
  return {it->status(), ""};
}

SumResult MultiGetAccounts(const World& world, DB* db, const ReadOptions& read,
                           std::vector<std::optional<int64_t>>* balances) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < world.ledger.accounts(); ++i) names.push_back(world.keys.AccountName(i));
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::vector<PinnedValue> values(names.size());
  std::vector<absl::Status> statuses(names.size());
  db->MultiGet(views, values, statuses, read);
  for (uint32_t i = 0; i < names.size(); ++i) {
    if (absl::IsNotFound(statuses[i])) continue;  // the sum's check names it
    if (!statuses[i].ok()) return {statuses[i], ""};
    std::string problem = AddBalance(world, i, values[i].view(), balances);
    if (!problem.empty()) return {{}, std::move(problem)};
  }
  return {};
}

SumResult GetAccounts(const World& world, DB* db, const ReadOptions& read,
                      std::vector<std::optional<int64_t>>* balances) {
  for (uint32_t i = 0; i < world.ledger.accounts(); ++i) {
    const absl::StatusOr<std::string> value = db->Get(world.keys.AccountName(i), read);
    if (absl::IsNotFound(value.status())) continue;
    if (!value.ok()) return {value.status(), ""};
    std::string problem = AddBalance(world, i, *value, balances);
    if (!problem.empty()) return {{}, std::move(problem)};
  }
  return {};
}

}  // namespace

std::unique_ptr<Iterator> NewWindowIterator(const World& world, DB* db, ReadOptions read,
                                            Window window) {
  read.lower_bound = world.keys.Bound(window.begin);
  read.upper_bound = world.keys.Bound(window.end);
  return db->NewIterator(read);
}

ScanResult ScanWith(const World& world, Iterator* it, Window window, Direction direction) {
  ScanResult result;
  result.seen.resize(window.size());
  const bool forward = direction == Direction::kForward;
  std::optional<uint32_t> last;
  for (forward ? it->SeekToFirst() : it->SeekToLast(); it->Valid();
       forward ? it->Next() : it->Prev()) {
    const std::optional<uint32_t> key = world.keys.FindKey(it->key());
    if (!key.has_value()) {
      result.problem = absl::StrCat("a scan shows the unknown key ", Show(it->key()));
      return result;
    }
    const uint32_t position = world.keys.PositionOf(*key);
    const bool in_order = !last.has_value() || (forward ? position > *last : position < *last);
    if (position < window.begin || position >= window.end || !in_order) {
      result.problem =
          absl::StrCat("a scan of positions [", window.begin, ", ", window.end, ") shows ",
                       position, last ? absl::StrCat(" after ", *last) : "");
      return result;
    }
    last = position;
    result.seen[position - window.begin] = world.contents.Classify(*key, it->value());
    MakeNoise(NoisePoint::kCaller);
  }
  result.status = it->status();
  return result;
}

ScanResult ScanWindow(const World& world, DB* db, ReadOptions read, Window window,
                      Direction direction) {
  return ScanWith(world, NewWindowIterator(world, db, std::move(read), window).get(), window,
                  direction);
}

std::string CheckSeen(const World& world, uint32_t key, uint32_t acked, const Seen& seen) {
  const uint32_t issued = world.versions.issued(key);
  for (uint32_t version = acked; version <= issued; ++version) {
    if (world.contents.Explains(key, version, seen)) return "";
  }
  return absl::StrCat("key ", key, " (", Show(world.keys.name(key)), ") is ", seen.ToString(),
                      ", expected a version of [", acked, ", ", issued, "]");
}

SumResult CheckSum(const World& world, DB* db, ReadOptions read, SumMethod method) {
  std::vector<std::optional<int64_t>> balances(world.ledger.accounts());
  SumResult result;
  switch (method) {
    case SumMethod::kForward:
      result = ScanAccounts(world, db, std::move(read), Direction::kForward, &balances);
      break;
    case SumMethod::kBackward:
      result = ScanAccounts(world, db, std::move(read), Direction::kBackward, &balances);
      break;
    case SumMethod::kMultiGet:
      result = MultiGetAccounts(world, db, read, &balances);
      break;
    case SumMethod::kGets:
      result = GetAccounts(world, db, read, &balances);
      break;
  }
  if (result.status.ok() && result.problem.empty()) {
    result.problem = world.ledger.CheckSums(balances);
  }
  return result;
}

std::string CheckState(const World& world, const std::vector<Seen>& seen, uint64_t acked_before,
                       uint64_t synced_before, Moment moment) {
  std::vector<OwnerState> owners;
  std::vector<size_t> least;
  for (uint32_t owner = 0; owner < world.settings.callers; ++owner) {
    if (moment == Moment::kAfterCrash && world.Unlogged(owner)) continue;
    OwnerState state;
    state.history = world.logs[owner]->Copy();
    for (uint32_t key = owner; key < world.keys.size(); key += world.settings.callers) {
      state.keys.push_back(key);
      state.base_versions.push_back(world.base_versions[key]);
      state.seen.push_back(seen[world.keys.PositionOf(key)]);
    }
    size_t must = state.history.AckedBefore(acked_before);
    const std::vector<LoggedWrite>& writes = state.history.writes;
    for (size_t w = must; w < writes.size(); ++w) {
      const bool there = writes[w].synced && writes[w].outcome == Outcome::kAcked &&
                         writes[w].acked_at < synced_before;
      if (there) must = w + 1;
    }
    least.push_back(must);
    owners.push_back(std::move(state));
  }
  return CheckPrefixes(world.contents, owners, std::move(least));
}

SumResult CheckNothingElse(const World& world, DB* db) {
  const auto it = db->NewIterator();
  const Comparator* const comparator = ComparatorOf(world.settings.order);
  std::optional<std::string> last;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const bool known =
        world.keys.FindKey(it->key()).has_value() || world.keys.FindAccount(it->key()).has_value();
    if (!known) return {{}, absl::StrCat("unknown key ", Show(it->key()))};
    if (last.has_value() && comparator->Compare(*last, it->key()) >= 0) {
      return {{}, absl::StrCat("key ", Show(it->key()), " after ", Show(*last))};
    }
    last = std::string(it->key());
  }
  return {it->status(), ""};
}

}  // namespace cambium::stress
