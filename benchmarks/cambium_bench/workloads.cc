#include "benchmarks/cambium_bench/workloads.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cambium::bench {
namespace {

constexpr int kMultiReadKeys = 32;

// Counts a thread's operations and tells when it is done: by count, by time, or by an error.
class Loop {
 public:
  Loop(Worker* worker, int64_t limit) : worker_(worker), limit_(limit) {
    const double seconds = worker->settings->duration_seconds;
    if (seconds > 0) deadline_ = NowNanos() + static_cast<uint64_t>(seconds * 1e9);
  }
  bool More() const {
    if (!worker_->measured.error.empty() || worker_->measured.operations >= limit_) return false;
    return deadline_ == 0 || NowNanos() < deadline_;
  }
  // `count` operations that wrote or read `bytes` ended with `status`.
  void Done(int64_t count, size_t bytes, const absl::Status& status) {
    if (!status.ok()) worker_->measured.error = status.ToString();
    worker_->measured.bytes += static_cast<int64_t>(bytes);
    worker_->measured.Done(count, worker_->settings->report.histogram);
  }

 private:
  Worker* const worker_;
  const int64_t limit_;
  uint64_t deadline_ = 0;
};

uint64_t RandomNumber(Worker* worker) {
  return worker->random.Uniform(static_cast<uint64_t>(worker->settings->num));
}

void CheckValue(Worker* worker, uint64_t number, std::string_view value) {
  if (!worker->settings->report.verify || value == worker->values->ValueOf(number)) return;
  worker->measured.error = absl::StrCat("the value of key ", number, " is not what was written");
}

// --- Writes -------------------------------------------------------------------------------------

// Puts the keys that `next` draws, in batches where asked for.
template <typename NextNumber>
void Fill(Worker* worker, const WriteOptions& options, int64_t limit, NextNumber next) {
  const Settings& settings = *worker->settings;
  std::string key;
  WriteBatch batch;
  for (Loop loop(worker, limit); loop.More();) {
    size_t bytes = 0;
    absl::Status status;
    if (settings.batch_size == 1) {
      const uint64_t number = next();
      MakeKey(number, settings.data.key_size, &key);
      const std::string_view value = worker->values->ValueOf(number);
      bytes = key.size() + value.size();
      status = worker->db->Put(key, value, options);
    } else {
      batch.Clear();
      for (int i = 0; i < settings.batch_size; ++i) {
        const uint64_t number = next();
        MakeKey(number, settings.data.key_size, &key);
        batch.Put(key, worker->values->ValueOf(number));
      }
      bytes = batch.ByteSize();
      status = worker->db->Write(batch, options);
    }
    loop.Done(settings.batch_size, bytes, status);
  }
}

void FillSeq(Worker* worker) {
  uint64_t number = 0;
  Fill(worker, worker->settings->write_options, worker->settings->Writes(),
       [&number] { return number++; });
}

void FillRandom(Worker* worker) {
  Fill(worker, worker->settings->write_options, worker->settings->Writes(),
       [worker] { return RandomNumber(worker); });
}

void FillSync(Worker* worker) {
  WriteOptions options = worker->settings->write_options;
  options.sync = true;
  Fill(worker, options, std::max<int64_t>(1, worker->settings->Writes() / 1000),
       [worker] { return RandomNumber(worker); });
}

template <typename NextNumber>
void DeleteKeys(Worker* worker, NextNumber next) {
  std::string key;
  for (Loop loop(worker, worker->settings->Writes()); loop.More();) {
    MakeKey(next(), worker->settings->data.key_size, &key);
    loop.Done(1, 0, worker->db->Delete(key, worker->settings->write_options));
  }
}

void DeleteSeq(Worker* worker) {
  uint64_t number = 0;
  DeleteKeys(worker, [&number] { return number++; });
}

void DeleteRandom(Worker* worker) {
  DeleteKeys(worker, [worker] { return RandomNumber(worker); });
}

// --- Point reads --------------------------------------------------------------------------------

void ReadRandom(Worker* worker) {
  std::string key;
  PinnedValue value;
  Measured& measured = worker->measured;
  measured.found = 0;
  for (Loop loop(worker, worker->settings->Reads()); loop.More();) {
    const uint64_t number = RandomNumber(worker);
    MakeKey(number, worker->settings->data.key_size, &key);
    absl::Status status = worker->db->Get(key, &value);
    size_t bytes = 0;
    if (status.ok()) {
      ++measured.found;
      bytes = key.size() + value.view().size();
      CheckValue(worker, number, value.view());
    } else if (absl::IsNotFound(status)) {
      status = absl::OkStatus();
    }
    loop.Done(1, bytes, status);
  }
  measured.asked = measured.operations;
}

void ReadMissing(Worker* worker) {
  std::string key;
  PinnedValue value;
  Measured& measured = worker->measured;
  measured.found = 0;
  for (Loop loop(worker, worker->settings->Reads()); loop.More();) {
    MakeKey(RandomNumber(worker), worker->settings->data.key_size, &key);
    key.push_back('.');
    absl::Status status = worker->db->Get(key, &value);
    if (status.ok()) ++measured.found;
    if (absl::IsNotFound(status)) status = absl::OkStatus();
    loop.Done(1, 0, status);
  }
  measured.asked = measured.operations;
}

void MultiReadRandom(Worker* worker) {
  const auto count = static_cast<size_t>(std::max(worker->settings->batch_size, kMultiReadKeys));
  std::vector<uint64_t> numbers(count);
  std::vector<std::string> keys(count);
  std::vector<std::string_view> views(count);
  std::vector<PinnedValue> values(count);
  std::vector<absl::Status> statuses(count);
  Measured& measured = worker->measured;
  measured.found = 0;
  for (Loop loop(worker, worker->settings->Reads()); loop.More();) {
    for (size_t i = 0; i < count; ++i) {
      numbers[i] = RandomNumber(worker);
      MakeKey(numbers[i], worker->settings->data.key_size, &keys[i]);
      views[i] = keys[i];
    }
    worker->db->MultiGet(views, values, statuses);
    absl::Status error;
    for (size_t i = 0; i < count; ++i) {
      if (statuses[i].ok()) {
        ++measured.found;
        CheckValue(worker, numbers[i], values[i].view());
      } else if (!absl::IsNotFound(statuses[i])) {
        error = statuses[i];
      }
    }
    loop.Done(static_cast<int64_t>(count), 0, error);
  }
  measured.asked = measured.operations;
}

// --- Scans --------------------------------------------------------------------------------------

// The number that a key was made from.
uint64_t NumberOf(std::string_view key) {
  uint64_t number = 0;
  for (size_t i = 0; i < 8 && i < key.size(); ++i) {
    number = number << 8 | static_cast<unsigned char>(key[i]);
  }
  return number;
}

void Scan(Worker* worker, void (Iterator::*start)(), void (Iterator::*step)()) {
  const std::unique_ptr<Iterator> iterator = worker->db->NewIterator();
  (iterator.get()->*start)();
  for (Loop loop(worker, worker->settings->Reads()); loop.More() && iterator->Valid();) {
    if (worker->settings->report.verify) {
      CheckValue(worker, NumberOf(iterator->key()), iterator->value());
    }
    const size_t bytes = iterator->key().size() + iterator->value().size();
    (iterator.get()->*step)();
    loop.Done(1, bytes, iterator->status());
  }
}

void ReadSeq(Worker* worker) { Scan(worker, &Iterator::SeekToFirst, &Iterator::Next); }
void ReadReverse(Worker* worker) { Scan(worker, &Iterator::SeekToLast, &Iterator::Prev); }

void SeekRandom(Worker* worker) {
  std::string key;
  Measured& measured = worker->measured;
  measured.found = 0;
  for (Loop loop(worker, worker->settings->Reads()); loop.More();) {
    MakeKey(RandomNumber(worker), worker->settings->data.key_size, &key);
    const std::unique_ptr<Iterator> iterator = worker->db->NewIterator();
    iterator->Seek(key);
    if (iterator->Valid() && iterator->key() == key) ++measured.found;
    size_t bytes = 0;
    for (int i = 0; i < worker->settings->seek_nexts && iterator->Valid(); ++i) {
      bytes += iterator->key().size() + iterator->value().size();
      if (worker->settings->report.verify) {
        CheckValue(worker, NumberOf(iterator->key()), iterator->value());
      }
      iterator->Next();
    }
    loop.Done(1, bytes, iterator->status());
  }
  measured.asked = measured.operations;
}

// --- Upkeep -------------------------------------------------------------------------------------

void Once(Worker* worker, const absl::Status& status) {
  if (worker->index == 0) Loop(worker, 1).Done(1, 0, status);
}

void Compact(Worker* worker) {
  if (worker->index == 0) Once(worker, worker->db->CompactRange());
}
void FlushAll(Worker* worker) {
  if (worker->index == 0) Once(worker, worker->db->Flush());
}
void WaitForCompaction(Worker* worker) {
  if (worker->index == 0) Once(worker, worker->db->WaitForIdle());
}

void PrintProperty(Worker* worker, std::string_view name) {
  if (worker->index != 0) return;
  std::printf("%s\n", worker->db->GetProperty(name).value_or("").c_str());
  Once(worker, absl::OkStatus());
}
void PrintStats(Worker* worker) { PrintProperty(worker, "cambium.stats"); }
void PrintLevels(Worker* worker) { PrintProperty(worker, "cambium.levels"); }

// Overwrites random keys until the readers have ended.
void WriteBeside(Worker* worker, const std::atomic<bool>& over) {
  std::string key;
  while (!over.load(std::memory_order_relaxed) && worker->measured.error.empty()) {
    const uint64_t number = RandomNumber(worker);
    MakeKey(number, worker->settings->data.key_size, &key);
    const absl::Status status =
        worker->db->Put(key, worker->values->ValueOf(number), worker->settings->write_options);
    if (!status.ok()) worker->measured.error = status.ToString();
  }
}

constexpr std::array kWorkloads = {
    Workload{"fillseq", Start::kFresh, FillSeq},
    Workload{"fillrandom", Start::kFresh, FillRandom},
    Workload{"fillsync", Start::kFresh, FillSync},
    Workload{"overwrite", Start::kAsItIs, FillRandom},
    Workload{"readrandom", Start::kAsItIs, ReadRandom},
    Workload{"readmissing", Start::kAsItIs, ReadMissing},
    Workload{"readseq", Start::kAsItIs, ReadSeq},
    Workload{"readreverse", Start::kAsItIs, ReadReverse},
    Workload{"seekrandom", Start::kAsItIs, SeekRandom},
    Workload{"multireadrandom", Start::kAsItIs, MultiReadRandom},
    Workload{"readwhilewriting", Start::kAsItIs, ReadRandom, WriteBeside},
    Workload{"deleteseq", Start::kAsItIs, DeleteSeq},
    Workload{"deleterandom", Start::kAsItIs, DeleteRandom},
    Workload{"compact", Start::kAsItIs, Compact},
    Workload{"flush", Start::kAsItIs, FlushAll},
    Workload{"waitforcompaction", Start::kAsItIs, WaitForCompaction},
    Workload{"stats", Start::kAsItIs, PrintStats},
    Workload{"levelstats", Start::kAsItIs, PrintLevels},
};

// Insertions, deletions and replacements that make one word of the other.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::span<const Workload> Workloads() { return kWorkloads; }

std::string_view NearestWorkload(std::string_view name) {
  return std::min_element(kWorkloads.begin(), kWorkloads.end(),
                          [name](const Workload& a, const Workload& b) {
                            return EditDistance(a.name, name) < EditDistance(b.name, name);
                          })
      ->name;
}

}  // namespace cambium::bench
