#include "benchmarks/harness/runner.h"

#include <barrier>
#include <cstdio>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "benchmarks/harness/report/output.h"
#include "benchmarks/harness/report/process.h"
#include "util/status_macros.h"

namespace cambium::bench {
namespace {

std::string FoundMessage(const Measured& measured) {
  const Measured::Totals& totals = measured.totals;
  if (totals.found < 0) return totals.message;
  return absl::StrCat("(", totals.found, " of ", totals.asked, " found)");
}

// Runs `run` for each worker on its own thread, all starting at the same time.
template <typename Run>
std::thread StartWorker(Worker* worker, std::barrier<>* together, Run run) {
  return std::thread([worker, together, run] {
    worker->session = worker->shared->database->engine()->NewSession();
    together->arrive_and_wait();
    worker->measured.Start();
    run(worker);
    worker->measured.Stop();
    worker->session.reset();
  });
}

}  // namespace

// The resources used before a benchmark began.
struct Runner::Before {
  ProcessUsage usage;
  EngineCounters engine;
};

Runner::Runner(const Settings& settings)
    : settings_(settings),
      values_(settings.data),
      database_(settings.engine),
      shared_{&settings, &values_, &database_, nullptr, nullptr},
      interval_file_(settings.report) {
  records_.emplace(static_cast<uint64_t>(settings.work.num));
  shared_.records = &*records_;
}

absl::Status Runner::Prepare(const Workload& workload) {
  RETURN_IF_ERROR(interval_file_.status());
  if (workload.start == Start::kFresh) {
    RETURN_IF_ERROR(database_.Destroy());
    records_.emplace(static_cast<uint64_t>(settings_.work.num));
    live_.Clear();
    knows_live_ = !settings_.report.json_file.empty();
    shared_.live = knows_live_ ? &live_ : nullptr;
  }
  return database_.Open();
}

std::unique_ptr<Worker> Runner::NewWorker(int index) {
  return std::make_unique<Worker>(&shared_, index, settings_.data.seed + ++seeds_ * 1000003);
}

void Runner::RunWorkers(const Workload& workload, const Workers& workers, Worker* beside) {
  if (workload.crew != Crew::kThreads) {
    Worker* const worker = workers.front().get();
    worker->measured.Start();
    workload.run(worker);
    worker->measured.Stop();
    return;
  }
  const auto count = static_cast<std::ptrdiff_t>(workers.size()) + (beside != nullptr ? 1 : 0);
  std::barrier together(count);
  std::atomic<bool> over{false};
  std::thread beside_thread;
  if (beside != nullptr) {
    beside_thread =
        StartWorker(beside, &together, [&](Worker* worker) { workload.beside(worker, over); });
  }
  std::vector<std::thread> threads;
  for (const auto& worker : workers) {
    threads.push_back(StartWorker(worker.get(), &together, workload.run));
  }
  for (std::thread& thread : threads) thread.join();
  over.store(true);
  if (beside_thread.joinable()) beside_thread.join();
}

Runner::Before Runner::Look() {
  ResetPeakMemory();
  return {UsageNow(), database_.engine()->Counters()};
}

void Runner::CountResources(const Before& before, Result* result) {
  const ProcessUsage usage = UsageNow();
  result->user_seconds = usage.user_seconds - before.usage.user_seconds;
  result->system_seconds = usage.system_seconds - before.usage.system_seconds;
  double foreground = result->measured->CpuSeconds();
  if (result->beside != nullptr) foreground += result->beside->CpuSeconds();
  result->background_seconds =
      std::max(0.0, result->user_seconds + result->system_seconds - foreground);
  result->device_bytes_written = usage.device_bytes_written - before.usage.device_bytes_written;
  result->peak_memory_bytes = PeakMemoryBytes();
  result->memory_bytes = PrivateMemoryBytes();
  result->disk_bytes = AllocatedBytes(settings_.engine.path);
  if (knows_live_) result->live_bytes = live_.bytes();
  const EngineCounters counters = database_.engine()->Counters();
  if (!counters.maps_writes) {
    result->system_bytes_written = usage.bytes_written - before.usage.bytes_written;
  }
  if (!counters.maps_reads) result->bytes_read = usage.bytes_read - before.usage.bytes_read;
  // Counts start again at 0 if the database was opened in the meantime.
  const auto since = [](std::optional<uint64_t> now, std::optional<uint64_t> then) {
    if (now.has_value() && then.has_value() && *now >= *then) *now -= *then;
    return now;
  };
  result->engine_bytes_written = since(counters.bytes_written, before.engine.bytes_written);
  const std::optional<uint64_t> stalled = since(counters.stall_micros, before.engine.stall_micros);
  if (stalled.has_value()) result->stall_seconds = static_cast<double>(*stalled) / 1e6;
}

absl::StatusOr<Result> Runner::RunOnce(const Workload& workload) {
  RETURN_IF_ERROR(Prepare(workload));
  Result result;
  result.name = workload.name;
  result.threads = workload.crew == Crew::kThreads ? settings_.work.threads : 1;
  shared_.next_write_nanos = 0;
  Workers workers;
  for (int i = 0; i < result.threads; ++i) workers.push_back(NewWorker(i));
  std::unique_ptr<Worker> beside;
  if (workload.beside != nullptr) beside = NewWorker(result.threads);

  const Before before = Look();
  {
    const Sampler sampler(settings_.report, &interval_file_, &workers);
    RunWorkers(workload, workers, beside.get());
  }
  result.measured = std::make_unique<Measured>();
  for (const auto& worker : workers) result.measured->Merge(worker->measured);
  if (beside != nullptr) {
    result.beside = std::make_unique<Measured>();
    result.beside->Merge(beside->measured);
  }
  std::string error = result.measured->totals.error;
  if (error.empty() && beside != nullptr) error = beside->measured.totals.error;
  if (!error.empty()) return absl::UnknownError(absl::StrCat(result.name, ": ", error));
  CountResources(before, &result);
  return result;
}

absl::Status Runner::Run(const Task& task) {
  const Workload& workload = *task.workload;
  if (workload.crew == Crew::kPrinter) {
    RETURN_IF_ERROR(Prepare(workload));
    workload.run(NewWorker(0).get());
    return absl::OkStatus();
  }
  if (workload.start == Start::kFresh && settings_.use_existing_db) {
    std::printf("%-12s : skipped (--use_existing_db is true)\n",
                std::string(workload.name).c_str());
    return absl::OkStatus();
  }
  std::printf("DB path: [%s]\n", settings_.engine.path.c_str());
  if (task.warm_ups > 0) {
    std::printf("Warming up benchmark by running %d times\n", task.warm_ups);
  }
  if (task.runs > 1) std::printf("Running benchmark for %d times\n", task.runs);
  RepeatedRates rates;
  for (int i = 1 - task.warm_ups; i <= task.runs; ++i) {
    ASSIGN_OR_RETURN(Result result, RunOnce(workload));
    const auto message = workload.message != nullptr ? workload.message : FoundMessage;
    PrintLine(workload.name, *result.measured, message(*result.measured));
    if (settings_.report.histogram) PrintHistograms(*result.measured);
    if (i < 1) continue;
    result.run = i;
    rates.Add(*result.measured);
    rates.PrintSoFar(workload.name);
    results_.push_back(std::move(result));
  }
  rates.PrintAll(workload.name);
  return absl::OkStatus();
}

absl::Status Runner::Finish() {
  if (!database_.IsOpen()) return interval_file_.status();
  if (settings_.report.statistics) {
    std::printf("STATISTICS:\n%s\n", database_.engine()->Describe("stats").c_str());
  }
  absl::Status status = database_.Close();
  status.Update(interval_file_.status());
  return status;
}

}  // namespace cambium::bench
