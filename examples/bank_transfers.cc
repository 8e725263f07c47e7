// Moves money between accounts from several threads, each transfer in a transaction, and shows that
// none is made or lost.
#include <cambium/db.h>

#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kAccounts = 10;
constexpr int kThreads = 4;
constexpr int kTransfers = 250;  // of each thread

std::string AccountKey(int number) { return "account/" + std::to_string(number); }

absl::StatusOr<int> Balance(cambium::Transaction& transaction, int account) {
  const absl::StatusOr<std::string> text = transaction.Get(AccountKey(account));
  if (!text.ok()) return text.status();
  return std::stoi(*text);
}

// Runs again whenever another transfer changed one of the accounts in the meantime.
absl::Status Transfer(cambium::DB& db, int from, int to, int amount) {
  return db.Transact([&](cambium::Transaction& transaction) -> absl::Status {
    const absl::StatusOr<int> source = Balance(transaction, from);
    if (!source.ok()) return source.status();
    const absl::StatusOr<int> target = Balance(transaction, to);
    if (!target.ok()) return target.status();
    if (*source < amount) return absl::OkStatus();  // nothing to do: an empty commit
    const absl::Status taken = transaction.Put(AccountKey(from), std::to_string(*source - amount));
    return taken.ok() ? transaction.Put(AccountKey(to), std::to_string(*target + amount)) : taken;
  });
}

absl::Status TransferOften(cambium::DB& db, int thread) {
  for (int i = 0; i < kTransfers; ++i) {
    const int from = (i * 7 + thread) % kAccounts;
    const int to = (from + 1 + i % (kAccounts - 1)) % kAccounts;
    if (absl::Status moved = Transfer(db, from, to, 1 + i % 20); !moved.ok()) return moved;
  }
  return absl::OkStatus();
}

absl::Status Run(const std::string& path) {
  const absl::StatusOr<std::unique_ptr<cambium::DB>> opened = cambium::DB::Open({}, path);
  if (!opened.ok()) return opened.status();
  cambium::DB& db = **opened;
  for (int account = 0; account < kAccounts; ++account) {
    if (absl::Status put = db.Put(AccountKey(account), "100"); !put.ok()) return put;
  }

  std::vector<std::thread> threads;
  std::vector<absl::Status> outcomes(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { outcomes[static_cast<size_t>(i)] = TransferOften(db, i); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& outcome : outcomes) {
    if (!outcome.ok()) return outcome;
  }

  int sum = 0;
  const std::unique_ptr<cambium::Iterator> all = db.NewIterator();
  for (all->Seek("account/"); all->Valid(); all->Next())
    sum += std::stoi(std::string(all->value()));
  if (!all->status().ok()) return all->status();
  std::cout << kAccounts << " accounts hold " << sum << " after " << kThreads * kTransfers
            << " transfers\n";
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status ran = Run(argc > 1 ? argv[1] : "bank.db");
  if (!ran.ok()) std::cerr << ran << "\n";
  return ran.ok() ? 0 : 1;
}
