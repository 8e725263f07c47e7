#include "tests/stress/round.h"

#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/stress/checks.h"
#include "tests/stress/crashes.h"
#include "tests/stress/faults.h"
#include "tests/stress/harness/resources.h"
#include "tests/stress/noise.h"
#include "tests/stress/worker.h"
#include "tests/support/indexed_writes.h"

namespace cambium::stress {

Round::Round(const RoundSettings& settings, const std::string& scratch, Reporter* reporter)
    : environment_(settings, scratch),
      world_(settings, reporter),
      random_(MixBits(settings.seed + 1) ^ settings.round) {
  SetNoise(settings.noise, settings.seed);
}

void Round::Run() {
  Activity* const activity = world_.reporter->activity(kMainActivity);
  activity->Start("opening");
  if (!Open()) return;
  world_.Expect(world_.ledger.OpenAccounts(world_.db), 0, "first write");
  world_.NoteSynced(NowNanos());
  for (uint32_t session = 0; session < world_.settings.sessions && !failed(); ++session) {
    activity->Start(nullptr);  // the other threads are watched
    RunSession();
    if (failed()) break;
    activity->Start("checking at rest");
    CheckAtRest(Loss::kNothing);
    if (failed()) break;
    // A file whose removal met a fault may stay until the database is opened again.
    if (!world_.settings.faults) CheckNothingLeft();
    activity->Start("opening again");
    Reopen(static_cast<Ending>(random_.Uniform(world_.settings.faults ? 4 : 2)));
  }
  activity->Start("checking the files");
  if (!failed()) CheckFiles();
  db_.reset();
  activity->Start(nullptr);
}

bool Round::Open() {
  auto db = environment_.Open();
  if (!db.ok()) {
    world_.reporter->Fail(absl::StrCat("open: ", db.status().ToString()));
    return false;
  }
  db_ = *std::move(db);
  world_.db = db_.get();
  world_.lied.store(false);
  world_.reporter->Add(Count::kOpens);
  return true;
}

void Round::RunSession() {
  for (uint32_t key = 0; key < world_.keys.size(); ++key) {
    world_.base_versions[key] = world_.versions.acked(key);
  }
  for (const auto& log : world_.logs) log->Clear();
  world_.stop.store(false);
  std::vector<std::thread> threads;
  for (uint32_t owner = 0; owner < world_.settings.callers; ++owner) {
    threads.emplace_back(
        [this, owner, seed = random_.Next()] { Worker(&world_, owner, seed).Run(); });
  }
  if (world_.settings.faults) {
    threads.emplace_back(
        [this, seed = random_.Next()] { FaultThread(&world_, environment_.faults(), seed).Run(); });
  }
  if (world_.settings.crashes) {
    threads.emplace_back(
        [this, seed = random_.Next()] { CrashThread(&world_, &environment_, seed).Run(); });
  }
  const uint64_t end = NowNanos() + world_.settings.session_millis * 1'000'000;
  while (NowNanos() < end && !failed()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  world_.stop.store(true);
  for (std::thread& thread : threads) thread.join();
}

void Round::CheckKeys(Loss loss, Direction direction) {
  const ScanResult scan = ScanWindow(world_, world_.db, {}, {0, world_.keys.size()}, direction);
  world_.ExpectNone(scan.problem, "scan at rest");
  if (!world_.Expect(scan.status, world_.faults.Now(), "scan at rest") || failed()) return;
  for (uint32_t key = 0; key < world_.keys.size() && !failed(); ++key) {
    const Seen& seen = scan.seen[world_.keys.PositionOf(key)];
    const bool lost = loss == Loss::kUnlogged && world_.Unlogged(world_.OwnerOf(key));
    const uint32_t least = lost ? 0 : world_.versions.acked(key);
    world_.ExpectNone(CheckSeen(world_, key, least, seen), "at rest");
    // The newest version that explains it: what an unknown write left, or what a crash did.
    for (uint32_t version = world_.versions.issued(key);; --version) {
      if (world_.contents.Explains(key, version, seen)) {
        world_.versions.SetAcked(key, version);
        break;
      }
      if (version == least) break;
    }
  }
}

void Round::CheckAtRest(Loss loss) {
  CheckKeys(loss, random_.Uniform(2) == 0 ? Direction::kForward : Direction::kBackward);
  for (const SumMethod method :
       {SumMethod::kForward, SumMethod::kBackward, SumMethod::kMultiGet, SumMethod::kGets}) {
    const SumResult sum = CheckSum(world_, world_.db, {}, method);
    world_.ExpectNone(sum.problem, "sum at rest");
    world_.Expect(sum.status, world_.faults.Now(), "sum at rest");
  }
  absl::Status status;
  world_.ExpectNone(world_.ledger.CheckExact(world_.db, &random_, &status), "account at rest");
  world_.Expect(status, world_.faults.Now(), "account at rest");
  const SumResult all = CheckNothingElse(world_, world_.db);
  world_.ExpectNone(all.problem, "all entries");
  world_.Expect(all.status, world_.faults.Now(), "all entries");
  world_.Expect(world_.db->Verify(), world_.faults.Now(), "verify at rest");
}

Round::Loss Round::EndSession(Ending ending) {
  const Stats stats = world_.db->GetStats();
  world_.reporter->Add(Count::kFlushes, stats.flushes);
  world_.reporter->Add(Count::kCompactions, stats.compactions);
  if (ending == Ending::kDestroy) {
    db_.reset();
    return Loss::kNothing;
  }
  if (ending == Ending::kFaultyClose) {
    AddRandomRules(environment_.faults(), FaultSet::kHonest, &random_);
  }
  const absl::Status closed = db_->Close();
  db_.reset();
  environment_.faults()->ClearRules();
  if (closed.ok()) {
    if (world_.settings.crashes) CheckCleanClone();
    return Loss::kNothing;
  }
  if (ending != Ending::kFaultyClose) {
    world_.reporter->Fail(absl::StrCat("close: ", closed.ToString()));
  }
  return Loss::kUnlogged;
}

void Round::Reopen(Ending ending) {
  const Loss loss = EndSession(ending);
  world_.db = nullptr;
  if (ending == Ending::kFaultyOpen) {
    const uint64_t before = environment_.faults()->fired();
    for (int attempt = 0; attempt < 3; ++attempt) {
      AddRandomRules(environment_.faults(), FaultSet::kHonest, &random_);
      environment_.Open().status().IgnoreError();  // closed at once, if it was opened at all
      environment_.faults()->ClearRules();
    }
    world_.reporter->Add(Count::kFaults, environment_.faults()->fired() - before);
  }
  if (failed() || !Open()) return;
  CheckAtRest(loss);
  // What recovery brought back counts as synced from here on.
  world_.Expect(world_.db->Flush(), world_.faults.Now(), "flush after opening");
  world_.NoteSynced(NowNanos());
}

void Round::CheckCleanClone() {
  const auto clone =
      environment_.memory()->CrashClone(env::CrashPolicy::kSyncedOnly, random_.Next());
  auto db = environment_.OpenClone(clone);
  if (!db.ok()) {
    return world_.reporter->Fail(
        absl::StrCat("open of what was synced at Close: ", db.status().ToString()));
  }
  DB* const open = std::exchange(world_.db, db->get());
  CheckAtRest(Loss::kNothing);
  world_.db = open;
}

void Round::CheckNothingLeft() {
  world_.Expect(world_.db->WaitForIdle(), world_.faults.Now(), "wait-for-idle at rest");
  world_.ExpectNone(test::OrphansOf(*db_, environment_.base(), environment_.path()),
                    "files that are not needed");
  world_.ExpectNone(DeletedFilesHeld(environment_.path()), "files that are open");
}

void Round::CheckFiles() {
  CheckNothingLeft();
  const absl::Status closed = db_->Close();
  if (!closed.ok()) world_.reporter->Fail(absl::StrCat("last close: ", closed.ToString()));
  db_.reset();
  if (world_.settings.storage == Storage::kMemory) return;
  const absl::Status destroyed = DestroyDB(environment_.path());
  if (!destroyed.ok()) world_.reporter->Fail(absl::StrCat("destroy: ", destroyed.ToString()));
  if (std::filesystem::exists(environment_.path())) {
    world_.reporter->Fail("something is left after DestroyDB");
  }
}

}  // namespace cambium::stress
