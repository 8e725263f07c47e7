#include "tests/stress/model/ledger.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/stress/model/outcome.h"

namespace cambium::stress {
namespace {

constexpr size_t kFixed = 16;
constexpr uint64_t kMaxPadding = 300;

}  // namespace

Ledger::Ledger(const KeySpace* keys, uint64_t seed, uint32_t groups) : keys_(keys), seed_(seed) {
  for (uint32_t i = 0; i < groups; ++i) {
    groups_.push_back(std::make_unique<Group>());
    MutexLock lock(&groups_.back()->mu);
    groups_.back()->balances.fill(kOpeningBalance);
  }
}

std::string Ledger::Encode(uint32_t account, int64_t balance) const {
  const uint64_t check = MixBits(seed_ ^ MixBits(static_cast<uint64_t>(balance)) ^ account);
  std::string value(kFixed + check % kMaxPadding, static_cast<char>('a' + account % 26));
  std::memcpy(value.data(), &balance, sizeof balance);
  std::memcpy(value.data() + sizeof balance, &check, sizeof check);
  return value;
}

std::optional<int64_t> Ledger::Decode(uint32_t account, std::string_view value) const {
  if (value.size() < kFixed) return std::nullopt;
  int64_t balance = 0;
  std::memcpy(&balance, value.data(), sizeof balance);
  if (Encode(account, balance) != value) return std::nullopt;
  return balance;
}

absl::Status Ledger::OpenAccounts(DB* db) {
  WriteBatch batch;
  for (uint32_t i = 0; i < accounts(); ++i) {
    batch.Put(keys_->AccountName(i), Encode(i, kOpeningBalance));
  }
  return db->Write(batch, {.sync = true});
}

absl::Status Ledger::Transfer(DB* db, const WriteOptions& options, Random* random) {
  const auto index = static_cast<uint32_t>(random->Uniform(groups_.size()));
  Group* const group = groups_[index].get();
  const auto from = static_cast<uint32_t>(random->Uniform(kGroupSize));
  const auto to = static_cast<uint32_t>((from + 1 + random->Uniform(kGroupSize - 1)) % kGroupSize);
  const auto amount = static_cast<int64_t>(random->Uniform(100));
  MutexLock lock(&group->mu);
  Balances next = group->balances;
  next[from] -= amount;
  next[to] += amount;
  WriteBatch batch;
  for (uint32_t i = 0; i < kGroupSize; ++i) {
    if (!group->in_doubt && i != from && i != to) continue;
    const uint32_t account = index * kGroupSize + i;
    batch.Put(keys_->AccountName(account), Encode(account, next[i]));
  }
  absl::Status status = db->Write(batch, options);
  if (status.ok()) {
    group->balances = next;
    group->in_doubt = false;
  } else if (!IsRefusal(status)) {
    group->in_doubt = true;
  }
  return status;
}

std::string Ledger::CheckExact(DB* db, Random* random, absl::Status* status) {
  const auto index = static_cast<uint32_t>(random->Uniform(groups_.size()));
  Group* const group = groups_[index].get();
  MutexLock lock(&group->mu);
  if (group->in_doubt) return "";
  for (uint32_t i = 0; i < kGroupSize; ++i) {
    const uint32_t account = index * kGroupSize + i;
    const absl::StatusOr<std::string> value = db->Get(keys_->AccountName(account));
    if (absl::IsNotFound(value.status())) return absl::StrCat("account ", account, " is absent");
    if (!value.ok()) {
      *status = value.status();
      return "";
    }
    const std::optional<int64_t> balance = Decode(account, *value);
    if (!balance.has_value()) return absl::StrCat("account ", account, " has a foreign value");
    if (*balance != group->balances[i]) {
      return absl::StrCat("account ", account, " has ", *balance, ", the last transfer left ",
                          group->balances[i]);
    }
  }
  return "";
}

void Ledger::DoubtAll() {
  for (const auto& group : groups_) {
    MutexLock lock(&group->mu);
    group->in_doubt = true;
  }
}

std::string Ledger::CheckSums(const std::vector<std::optional<int64_t>>& balances) const {
  for (size_t group = 0; group < groups_.size(); ++group) {
    int64_t sum = 0;
    std::string text;
    for (size_t i = group * kGroupSize; i < (group + 1) * kGroupSize; ++i) {
      if (!balances[i].has_value()) return absl::StrCat("account ", i, " is absent");
      sum += *balances[i];
      absl::StrAppend(&text, " ", *balances[i]);
    }
    if (sum != kOpeningBalance * kGroupSize) {
      return absl::StrCat("the accounts of group ", group, " have", text, ": together ", sum,
                          ", expected ", kOpeningBalance * kGroupSize);
    }
  }
  return "";
}

}  // namespace cambium::stress
