#include "benchmarks/harness/report/json_report.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "benchmarks/engines/engine.h"
#include "benchmarks/harness/report/commit.h"
#include "benchmarks/harness/report/output.h"
#include "benchmarks/harness/report/process.h"

namespace cambium::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNanosPerMicro = 1000;
constexpr int kCurvePoints = 40;
constexpr double kCurveEnd = 1e-5;  // operations slower than the last point, of all

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

std::string TimeNow() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// Returns points from the median to one operation in a hundred thousand, evenly spaced on a
// logarithmic scale.
Json Curve(const Histogram& nanos) {
  Json points = Json::array();
  for (int i = 0; i < kCurvePoints; ++i) {
    const double slower = 0.5 * std::pow(kCurveEnd / 0.5, i / (kCurvePoints - 1.0));
    points.push_back({1 - slower, nanos.Quantile(1 - slower) / kNanosPerMicro});
  }
  return points;
}

Json Latencies(const Measured& measured) {
  const Histogram nanos = measured.AllLatencies();
  if (nanos.count() == 0) return nullptr;
  const HistogramSummary micros = nanos.Summary(kNanosPerMicro);
  return {{"count", micros.count}, {"mean", nanos.Mean() / kNanosPerMicro},
          {"p50", micros.p50},     {"p90", micros.p90},
          {"p99", micros.p99},     {"p999", micros.p999},
          {"p9999", micros.p9999}, {"max", micros.max},
          {"curve", Curve(nanos)}};
}

Json Beside(const Result& result) {
  if (result.beside == nullptr) return nullptr;
  const Measured& beside = *result.beside;
  return {{"operations", beside.operations()},
          {"ops_per_second", beside.OperationsPerSecond()},
          {"bytes", beside.totals.read + beside.totals.written}};
}

// Returns null if the divisor is missing or 0.
Json Ratio(std::optional<uint64_t> part, std::optional<uint64_t> whole) {
  if (!part.has_value() || whole.value_or(0) == 0) return nullptr;
  return static_cast<double>(*part) / static_cast<double>(*whole);
}

Json BenchmarkJson(const Result& result) {
  const Measured& measured = *result.measured;
  const Measured::Totals& totals = measured.totals;
  uint64_t user_read = totals.read, user_written = totals.written;
  if (result.beside != nullptr) {
    user_read += result.beside->totals.read;
    user_written += result.beside->totals.written;
  }
  const bool looked_up = totals.found >= 0;
  const std::optional<uint64_t> written =
      result.engine_bytes_written ? result.engine_bytes_written : result.system_bytes_written;
  std::optional<const char*> source;
  if (written) source = result.engine_bytes_written ? "engine" : "system calls";
  return {
      {"name", result.name},
      {"run", result.run},
      {"threads", result.threads},
      {"operations", measured.operations()},
      {"seconds", measured.ElapsedSeconds()},
      {"ops_per_second", measured.OperationsPerSecond()},
      {"bytes", totals.read + totals.written},
      {"found", looked_up ? Json(totals.found) : Json(nullptr)},
      {"asked", looked_up ? Json(totals.asked) : Json(nullptr)},
      {"beside", Beside(result)},
      {"latency_micros", Latencies(measured)},
      {"latency_from", measured.IsFromDue() ? "intended start" : "call"},
      {"latency_operations", measured.span()},
      {"stall_seconds", OrNull(result.stall_seconds)},
      {"slow_operation_seconds", measured.SlowSeconds()},
      {"cpu_seconds",
       {{"user", result.user_seconds},
        {"system", result.system_seconds},
        {"background", result.background_seconds}}},
      {"peak_memory_bytes", result.peak_memory_bytes},
      {"memory_bytes", result.memory_bytes},
      {"bytes_written", OrNull(written)},
      {"bytes_written_source", OrNull(source)},
      {"device_bytes_written", result.device_bytes_written},
      {"bytes_read", OrNull(result.bytes_read)},
      {"write_amplification", Ratio(written, user_written)},
      {"read_amplification", Ratio(result.bytes_read, user_read)},
      {"disk_bytes", result.disk_bytes},
      {"live_bytes", OrNull(result.live_bytes)},
      {"space_amplification", Ratio(result.disk_bytes, result.live_bytes)},
  };
}

Json Header(const Settings& settings) {
  const EngineKind engine = ThisEngine();
  const Machine machine = ThisMachine(settings.engine.path);
  Json flags = Json::object();
  for (const auto& [name, value] : settings.command.flags) flags[name] = value;
  return {
      {"engine", {{"name", engine.name}, {"version", engine.version}, {"remarks", engine.remarks}}},
      {"build",
       {{"type", CAMBIUM_BENCH_BUILD_TYPE}, {"commit", kCommit}, {"warnings", BuildWarnings()}}},
      {"machine",
       {{"cpu", machine.cpu},
        {"cores", machine.cores},
        {"memory_bytes", machine.memory_bytes},
        {"kernel", machine.kernel},
        {"file_system", machine.file_system}}},
      {"time", TimeNow()},
      {"command", settings.command.text},
      {"flags", flags},
  };
}

}  // namespace

absl::Status WriteJsonReport(const Settings& settings, const std::vector<Result>& results,
                             const std::string& error) {
  Json report = Header(settings);
  Json benchmarks = Json::array();
  for (const Result& result : results) benchmarks.push_back(BenchmarkJson(result));
  report["benchmarks"] = benchmarks;
  if (!error.empty()) report["error"] = error;
  std::ofstream out(settings.report.json_file);
  out << report.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
  out.close();
  if (!out) return absl::UnavailableError("cannot write " + settings.report.json_file);
  return absl::OkStatus();
}

}  // namespace cambium::bench
