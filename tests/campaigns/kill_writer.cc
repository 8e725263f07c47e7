// kill_writer <directory> <descriptor>: opens the database and writes with two threads until it is
// killed. For campaign_kill_test.
//
// Thread t writes the keys "t<t>/<n>", n = 0, 1, 2 …, and continues after the existing ones, each
// with the value of kill_protocol.h, some of them in batches with the next; after each acknowledged
// write it writes an Ack to the descriptor.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "cambium/db.h"
#include "tests/campaigns/kill_protocol.h"

namespace cambium::test {
namespace {

void Tell(int descriptor, const Ack& ack) {
  // Whole: it is shorter than PIPE_BUF.
  if (::write(descriptor, &ack, sizeof ack) != sizeof ack) ::_exit(3);
}

// The number of keys that writer `t` has in the database.
uint64_t Standing(DB* db, int t) {
  const auto it = db->NewIterator();
  it->SeekForPrev(WriterKey(t, ~uint64_t{0}));
  if (!it->Valid() || !it->key().starts_with(WriterPrefix(t))) return 0;
  return KeyNumber(it->key()) + 1;
}

void WriteOn(DB* db, int t, int descriptor) {
  for (uint64_t n = Standing(db, t);;) {
    const bool pair = n % 7 == 3;
    const WriteOptions options{.sync = n % 64 == 0};
    absl::Status status;
    if (pair) {
      WriteBatch batch;
      batch.Put(WriterKey(t, n), WriterValue(t, n));
      batch.Put(WriterKey(t, n + 1), WriterValue(t, n + 1));
      status = db->Write(batch, options);
    } else {
      status = db->Put(WriterKey(t, n), WriterValue(t, n), options);
    }
    if (!status.ok()) {
      std::fprintf(stderr, "write: %s\n", status.ToString().c_str());
      ::_exit(2);
    }
    n += pair ? 2 : 1;
    Tell(descriptor, {static_cast<uint64_t>(t), n});
  }
}

int Main(const std::string& path, int descriptor) {
  auto db = DB::Open(KillOptions(), path);
  if (!db.ok()) {
    std::fprintf(stderr, "open: %s\n", db.status().ToString().c_str());
    return 1;
  }
  std::thread other([&] { WriteOn(db->get(), 1, descriptor); });
  WriteOn(db->get(), 0, descriptor);
  return 0;
}

}  // namespace
}  // namespace cambium::test

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  return cambium::test::Main(argv[1], std::atoi(argv[2]));
}
