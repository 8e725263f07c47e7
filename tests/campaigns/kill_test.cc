// A real process with two writers on the real file system, killed by SIGKILL at moments drawn at
// random: each write that was acked is there afterwards, and no writer's keys have a hole.
//
// Environment: CAMBIUM_KILLS, how often (default 50); CAMBIUM_KILL_SEED, of the moments.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "tests/campaigns/kill_protocol.h"
#include "tests/support/model.h"
#include "tests/support/status_test.h"
#include "tests/support/temp_dir.h"

extern char** environ;

namespace cambium::test {
namespace {

// From the first ack on a process lives at most so long.
constexpr uint64_t kLongestLifeMicros = 200'000;

using Counts = std::array<uint64_t, kWriters>;

// A writer process and the pipe that its acks come through. Confined to one thread.
class Writer {
 public:
  explicit Writer(const std::string& path) {
    if (::pipe(pipe_.data()) != 0) return;
    // The child must not hold it open: its writes end when the test does.
    ::fcntl(pipe_[0], F_SETFD, FD_CLOEXEC);
    const std::string descriptor = absl::StrCat(pipe_[1]);
    std::string program = CAMBIUM_KILL_WRITER;
    std::string directory = path;
    std::string number = descriptor;
    char* const arguments[] = {program.data(), directory.data(), number.data(), nullptr};
    if (::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments, environ) != 0) pid_ = -1;
    ::close(pipe_[1]);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    Kill();
    ::close(pipe_[0]);
  }

  bool started() const { return pid_ > 0; }

  // Reads acks for so long after the first one; false where it ended by itself.
  bool ReadAcks(uint64_t micros, Counts* acked) {
    Ack ack;
    if (::read(pipe_[0], &ack, sizeof ack) != sizeof ack) return false;
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(micros);
    do {
      (*acked)[ack.writer] = std::max((*acked)[ack.writer], ack.count);
      if (::read(pipe_[0], &ack, sizeof ack) != sizeof ack) return false;
    } while (std::chrono::steady_clock::now() < end);
    (*acked)[ack.writer] = std::max((*acked)[ack.writer], ack.count);
    return true;
  }

  // Kills it and reads the acks that were on their way.
  void KillAndDrain(Counts* acked) {
    Kill();
    Ack ack;
    while (::read(pipe_[0], &ack, sizeof ack) == sizeof ack) {
      (*acked)[ack.writer] = std::max((*acked)[ack.writer], ack.count);
    }
  }

 private:
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  std::array<int, 2> pipe_{-1, -1};
  pid_t pid_ = -1;
};

// Every key of each writer from 0 on without a hole, as many as were acked at least. Empty, or what
// is wrong.
std::string Check(DB* db, const Counts& acked, Counts* found) {
  *found = {};
  const auto it = db->NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const int writer = it->key().starts_with(WriterPrefix(0)) ? 0 : 1;
    const uint64_t expected = (*found)[writer]++;
    if (it->key() != WriterKey(writer, expected)) {
      return absl::StrCat("a hole: found ", std::string(it->key()), ", expected ",
                          WriterKey(writer, expected));
    }
    if (it->value() != WriterValue(writer, expected)) {
      return absl::StrCat("wrong value of ", std::string(it->key()));
    }
  }
  if (!it->status().ok()) return it->status().ToString();
  for (int writer = 0; writer < kWriters; ++writer) {
    const uint64_t count = (*found)[writer];
    if (count < acked[writer]) {
      return absl::StrCat("writer ", writer, ": ", acked[writer], " writes were acked, ", count,
                          " are there");
    }
    // Keys 3, 4 and 10, 11 and so on were written as one.
    if (count % 7 == 4) return absl::StrCat("half a batch: ", count, " keys of writer ", writer);
  }
  return "";
}

TEST(KillTest, NoAckedWriteIsLost) {
  const uint64_t kills = FromEnvironment("CAMBIUM_KILLS", 50);
  const uint64_t seed = FromEnvironment("CAMBIUM_KILL_SEED", 1);
  std::mt19937_64 random(seed);
  const TempDir dir;
  const std::string path = dir.Sub("db");
  Counts acked{}, found{};
  uint64_t fired = 0, recovered = 0, unacked = 0;
  std::string problem;
  for (uint64_t i = 0; i < kills && problem.empty(); ++i) {
    {
      Writer writer(path);
      ASSERT_TRUE(writer.started());
      if (!writer.ReadAcks(random() % kLongestLifeMicros, &acked)) {
        problem = "the writer ended by itself";
        break;
      }
      writer.KillAndDrain(&acked);
      ++fired;
    }
    // Every other time without a change on disk, so that the next writer is the one who recovers.
    Options options = KillOptions();
    options.read_only = i % 2 == 0;
    auto db = DB::Open(options, path);
    if (!db.ok()) {
      problem = db.status().ToString();
      break;
    }
    problem = Check(db->get(), acked, &found);
    if (problem.empty()) ++recovered;
    for (int writer = 0; writer < kWriters; ++writer) unacked += found[writer] - acked[writer];
    acked = found;
  }
  std::printf("kill: points=%llu fired=%llu recovered=%llu failed=%d writes=%llu unacked=%llu\n",
              static_cast<unsigned long long>(kills), static_cast<unsigned long long>(fired),
              static_cast<unsigned long long>(recovered), problem.empty() ? 0 : 1,
              static_cast<unsigned long long>(found[0] + found[1]),
              static_cast<unsigned long long>(unacked));
  EXPECT_EQ(problem, "") << "repeat: CAMBIUM_KILL_SEED=" << seed << " CAMBIUM_KILLS=" << kills
                         << " campaign_kill_test";
  EXPECT_GT(fired, 0u) << "nothing was killed";
}

}  // namespace
}  // namespace cambium::test
