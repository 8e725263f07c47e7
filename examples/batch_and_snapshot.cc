// Moves an amount from one account to another in one batch, and reads the state before it through a
// snapshot.
#include <cambium/db.h>

#include <iostream>
#include <memory>
#include <string>

namespace {

absl::Status PrintBalances(cambium::DB& db, const std::string& title,
                           const cambium::ReadOptions& options) {
  const absl::StatusOr<std::string> alice = db.Get("account/alice", options);
  if (!alice.ok()) return alice.status();
  const absl::StatusOr<std::string> bob = db.Get("account/bob", options);
  if (!bob.ok()) return bob.status();
  std::cout << title << ": alice " << *alice << ", bob " << *bob << "\n";
  return absl::OkStatus();
}

absl::Status Run(const std::string& path) {
  absl::StatusOr<std::unique_ptr<cambium::DB>> opened = cambium::DB::Open({}, path);
  if (!opened.ok()) return opened.status();
  cambium::DB& db = **opened;

  cambium::WriteBatch opening;
  opening.Put("account/alice", "100");
  opening.Put("account/bob", "20");
  if (absl::Status written = db.Write(opening); !written.ok()) return written;

  // Reads through the snapshot see the current state, even after later writes.
  cambium::ReadOptions before;
  before.snapshot = db.GetSnapshot();

  // All of a batch is applied, or nothing: no reader sees the money twice or not at all. With sync
  // it is on disk when Write returns.
  cambium::WriteBatch transfer;
  transfer.Put("account/alice", "70");
  transfer.Put("account/bob", "50");
  if (absl::Status written = db.Write(transfer, {.sync = true}); !written.ok()) return written;

  if (absl::Status printed = PrintBalances(db, "before", before); !printed.ok()) return printed;
  if (absl::Status printed = PrintBalances(db, "now", {}); !printed.ok()) return printed;
  return db.Close();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status ran = Run(argc > 1 ? argv[1] : "accounts.db");
  if (!ran.ok()) std::cerr << ran << "\n";
  return ran.ok() ? 0 : 1;
}
