// cambium_bench: db_bench's benchmarks, flags and output lines, for Cambium.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "benchmarks/cambium_bench/data.h"
#include "benchmarks/cambium_bench/report.h"
#include "benchmarks/cambium_bench/settings.h"
#include "benchmarks/cambium_bench/workloads.h"
#include "cambium/db.h"

namespace cambium::bench {
namespace {

bool Say(const std::string& what) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
  return false;
}

void PrintBanner(const Settings& settings) {
  std::printf("Cambium:    version %s\n", std::string(Version()).c_str());
  std::printf("Keys:       %d bytes each\n", settings.data.key_size);
  std::printf("Values:     %d bytes each (%d bytes after compression)\n", settings.data.value_size,
              static_cast<int>(settings.data.value_size * settings.data.compression_ratio + 0.5));
  std::printf("Entries:    %lld\n", static_cast<long long>(settings.num));
#ifndef NDEBUG
  std::printf("WARNING: assertions are enabled: figures of this build mean nothing\n");
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::printf("WARNING: a sanitizer is enabled: figures of this build mean nothing\n");
#endif
#ifndef __OPTIMIZE__
  std::printf("WARNING: optimization is disabled: figures of this build mean nothing\n");
#endif
  std::printf("------------------------------------------------\n");
}

const Workload* Find(const std::string& name) {
  const auto workloads = Workloads();
  const auto found = std::find_if(workloads.begin(), workloads.end(),
                                  [&name](const Workload& w) { return w.name == name; });
  return found == workloads.end() ? nullptr : &*found;
}

// Runs benchmarks one after the other on one database. Confined to the main thread.
class Runner {
 public:
  explicit Runner(const Settings& settings)
      : settings_(settings),
        values_(settings.data.value_size, settings.data.compression_ratio, settings.data.seed) {}

  // False after the first error, which was printed.
  bool Run(const Workload& workload) {
    if (!Prepare(workload.start)) return false;
    std::vector<Worker> workers;
    for (int i = 0; i <= settings_.threads; ++i) workers.push_back(NewWorker(i));
    Worker& beside = workers.back();
    std::atomic<bool> over{false};
    std::thread beside_thread;
    if (workload.beside != nullptr) {
      beside_thread = std::thread([&] { workload.beside(&beside, over); });
    }
    RunThreads(workload, &workers);
    over.store(true);
    if (beside_thread.joinable()) beside_thread.join();
    workers.pop_back();

    Measured total;
    for (const Worker& worker : workers) total.Merge(worker.measured);
    if (total.error.empty()) total.error = beside.measured.error;
    if (!total.error.empty()) return Say(std::string(workload.name) + ": " + total.error);
    total.Print(std::string(workload.name));
    return true;
  }

  bool Finish() {
    if (db_ == nullptr) return true;
    if (settings_.report.statistics) {
      std::printf("%s\n", db_->GetProperty("cambium.stats").value_or("").c_str());
    }
    const absl::Status closed = db_->Close();
    return closed.ok() || Say(closed.ToString());
  }

 private:
  Worker NewWorker(int index) {
    const uint64_t seed = settings_.data.seed + ++seeds_ * 1000003;
    return {&settings_, &values_, db_.get(), index, Random(seed), Measured()};
  }

  void RunThreads(const Workload& workload, std::vector<Worker>* workers) {
    std::vector<std::thread> threads;
    for (int i = 0; i < settings_.threads; ++i) {
      Worker* worker = &(*workers)[static_cast<size_t>(i)];
      threads.emplace_back([&workload, worker] {
        worker->measured.Start();
        workload.run(worker);
        worker->measured.Stop();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  bool Prepare(Start start) {
    if (start == Start::kFresh && !settings_.use_existing_db) {
      db_.reset();
      const absl::Status destroyed = DestroyDB(settings_.db);
      if (!destroyed.ok()) return Say(destroyed.ToString());
    }
    if (db_ != nullptr) return true;
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(settings_.options, settings_.db);
    if (!db.ok()) return Say(db.status().ToString());
    db_ = *std::move(db);
    return true;
  }

  const Settings& settings_;
  const ValueSource values_;
  std::unique_ptr<DB> db_;
  uint64_t seeds_ = 0;
};

int Main(int argc, char** argv) {
  const Settings settings = ParseSettings(argc, argv);
  std::vector<const Workload*> workloads;
  for (const std::string& name : settings.benchmarks) {
    workloads.push_back(Find(name));
    if (workloads.back() != nullptr) continue;
    std::fprintf(stderr, "error: there is no benchmark '%s'\nhint: did you mean '%s'?\n",
                 name.c_str(), std::string(NearestWorkload(name)).c_str());
    return 2;
  }
  PrintBanner(settings);
  Runner runner(settings);
  for (const Workload* workload : workloads) {
    if (!runner.Run(*workload)) return 1;
  }
  return runner.Finish() ? 0 : 1;
}

}  // namespace
}  // namespace cambium::bench

int main(int argc, char** argv) { return cambium::bench::Main(argc, argv); }
