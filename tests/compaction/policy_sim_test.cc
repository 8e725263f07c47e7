// A simulator: the policy with files that are vectors of numbers. It runs long histories in little
// time and checks the policy's properties: every plan is right (reads find the newest version),
// levels stay bounded, compaction ends, and its cost.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "compaction/plan.h"
#include "compaction/policy.h"
#include "gtest/gtest.h"
#include "manifest/version.h"
#include "tests/manifest/manifest_test_util.h"

namespace cambium::compaction {
namespace {

using manifest::Bytewise;
using manifest::FileMetadata;
using manifest::FileRef;
using manifest::Run;
using manifest::Version;

constexpr uint64_t kEntryBytes = 100;
constexpr size_t kFlushEntries = 2000;  // of the default options

struct SimEntry {
  uint32_t key = 0;
  uint32_t sequence = 0;
  bool tombstone = false;
};
using Entries = std::vector<SimEntry>;

bool ByAge(const SimEntry& a, const SimEntry& b) {
  return a.key != b.key ? a.key < b.key : a.sequence > b.sequence;
}

std::string KeyOf(uint32_t key) {
  std::string bytes(4, '\0');
  for (int i = 0; i < 4; ++i)
    bytes[static_cast<size_t>(i)] = static_cast<char>(key >> (24 - 8 * i));
  return bytes;
}

struct SimOptions {
  PolicyOptions policy;
  size_t flush_entries = kFlushEntries;
  size_t slots = 2;       // compactions at once
  size_t stop_runs = 20;  // of level 0, at which writers wait
};

SimOptions Defaults() {
  SimOptions options;
  options.policy.target_file_size = kFlushEntries * kEntryBytes;
  options.policy.max_base_bytes = 8 * kFlushEntries * kEntryBytes;
  options.policy.max_plan_bytes = 25 * kFlushEntries * kEntryBytes;
  return options;
}

class Simulator {
 public:
  Simulator(const SimOptions& options, uint32_t seed) : options_(options), random_(seed) {}

  void Write(uint32_t key, bool tombstone) {
    buffer_.push_back({key, ++sequence_, tombstone});
    if (tombstone) {
      model_.erase(key);
    } else {
      model_[key] = sequence_;
    }
    if (buffer_.size() == options_.flush_entries) Flush();
  }

  void Flush() {
    std::sort(buffer_.begin(), buffer_.end(), ByAge);
    Entries kept = Newest(std::move(buffer_), [](uint32_t) { return false; });
    buffer_.clear();
    user_bytes_ += options_.flush_entries * kEntryBytes;
    const FileRef file = AddFile(std::move(kept));
    manifest::FamilyEdit edit;
    edit.added.push_back({0, ToInteger(file->number), *file});
    Apply(edit);
    Work();
    while (version_->runs(0).size() >= options_.stop_runs && !running_.empty()) FinishOne();
    max_runs_ = std::max(max_runs_, version_->runs(0).size());
  }

  // Runs until nothing is due.
  void Settle() {
    FillSlots();
    for (int steps = 0; !running_.empty(); ++steps) {
      ASSERT_LT(steps, 100'000) << "the policy does not come to an end\n";
      FinishOne();
    }
  }

  // Runs `beside` before every step.
  void Compact(const std::function<void()>& beside = [] {}) {
    ManualRequest request;
    request.newest_sequence = sequence_;
    request.first_new_file = FileNumber{next_file_};
    for (int steps = 0;; ++steps) {
      ASSERT_LT(steps, 2'000);
      beside();
      auto plan = PickManual(*version_, Policy(), request);
      if (!plan) return;
      while (ConflictsWithAny(*plan, running_, Bytewise())) {
        FinishOne();
        plan = PickManual(*version_, Policy(), request);
        if (!plan) return;
      }
      running_.push_back(*plan);
      Finish(running_.size() - 1);
      request.Advance(*plan);
    }
  }

  void Quarantine(int level) {
    const auto& files = version_->runs(level).front().files;
    manifest::FamilyEdit edit;
    edit.quarantined.push_back({level, files[files.size() / 2]->number, "test"});
    Apply(edit);
  }

  // Every level inside its target, and every key as the model has it.
  void Check() const {
    const LevelTargets targets = ComputeTargets(*version_, options_.policy);
    EXPECT_LT(version_->runs(0).size(), static_cast<size_t>(options_.policy.level0_trigger));
    for (int level = 1; level < kLevelCount - 1; ++level) {
      EXPECT_LE(version_->LevelBytes(level), targets.bytes[static_cast<size_t>(level)]) << level;
    }
    EXPECT_EQ(DebtBytes(*version_, options_.policy), 0u);
  }

  void CheckReads() const {
    std::map<uint32_t, uint32_t> found;
    std::map<uint32_t, uint32_t> newest;  // tombstones too
    for (int level = 0; level < kLevelCount; ++level) {
      for (const Run& run : version_->runs(level)) {
        for (const FileRef& file : run.files) {
          for (const SimEntry& entry : files_.at(file->number)) {
            const bool fresh = newest.try_emplace(entry.key, entry.sequence).second;
            // Versions in upper levels must be newer.
            ASSERT_TRUE(fresh || newest[entry.key] > entry.sequence);
            if (fresh && !entry.tombstone) found[entry.key] = entry.sequence;
          }
        }
      }
    }
    for (const SimEntry& entry : buffer_) {
      if (entry.tombstone) {
        found.erase(entry.key);
      } else {
        found[entry.key] = entry.sequence;
      }
    }
    ASSERT_TRUE(found == model_) << found.size() << " keys found, expected " << model_.size();
  }

  void Report(const char* name) const {
    const double live = static_cast<double>(model_.size() * kEntryBytes);
    std::printf(
        "%-12s written %.1f MB  write amp %.2f  space amp %.2f  max L0 runs %zu  moves %llu"
        "  merges %llu  levels",
        name, static_cast<double>(user_bytes_) / 1e6, WriteAmp(),
        live == 0 ? 0.0 : static_cast<double>(version_->TotalBytes()) / live, max_runs_,
        static_cast<unsigned long long>(moves_), static_cast<unsigned long long>(merges_));
    for (int level = 0; level < kLevelCount; ++level) {
      std::printf(" %.1f", static_cast<double>(version_->LevelBytes(level)) / 1e6);
    }
    std::printf("\n");
  }

  double WriteAmp() const {
    return static_cast<double>(disk_bytes_) /
           static_cast<double>(std::max<uint64_t>(user_bytes_, 1));
  }
  uint64_t moves() const { return moves_; }
  uint64_t merges() const { return merges_; }
  const Version& version() const { return *version_; }

 private:
  PolicyOptions Policy() const { return options_.policy; }

  template <typename Absent>
  static Entries Newest(Entries sorted, const Absent& absent_below) {
    Entries kept;
    kept.reserve(sorted.size());
    bool first = true;
    uint32_t key = 0;
    for (const SimEntry& entry : sorted) {
      if (!first && entry.key == key) continue;
      first = false;
      key = entry.key;
      if (entry.tombstone && absent_below(key)) continue;
      kept.push_back(entry);
    }
    return kept;
  }

  FileRef AddFile(Entries entries) {
    auto file = std::make_shared<FileMetadata>();
    file->number = file->physical_number = FileNumber{next_file_++};
    file->file_size = entries.size() * kEntryBytes;
    disk_bytes_ += file->file_size;
    file->smallest_key = KeyOf(entries.front().key);
    file->largest_key = KeyOf(entries.back().key);
    file->smallest_sequence = UINT32_MAX;
    for (const SimEntry& entry : entries) {
      file->smallest_sequence = std::min<SequenceNumber>(file->smallest_sequence, entry.sequence);
      file->largest_sequence = std::max<SequenceNumber>(file->largest_sequence, entry.sequence);
      file->tombstones += entry.tombstone ? 1 : 0;
    }
    file->entries = entries.size();
    files_[file->number] = std::move(entries);
    return file;
  }

  void Apply(const manifest::FamilyEdit& edit) {
    manifest::VersionBuilder builder(version_, Bytewise());
    ASSERT_TRUE(builder.Apply(edit).ok());
    const auto version = builder.Build();  // checks every invariant
    ASSERT_TRUE(version.ok()) << version.status();
    version_ = *version;
  }

  void FillSlots() {
    while (running_.size() < options_.slots) {
      auto plan = Pick(*version_, options_.policy, running_);
      if (!plan) return;
      ASSERT_FALSE(ConflictsWithAny(*plan, running_, Bytewise()));
      running_.push_back(*std::move(plan));
    }
  }

  // About what the background threads get done while a memtable fills.
  void Work() {
    FillSlots();
    for (size_t i = 0; i < 3 && !running_.empty(); ++i) FinishOne();
  }

  void FinishOne() {
    Finish(random_() % running_.size());
    FillSlots();
  }

  void Finish(size_t index) {
    const Plan plan = running_[index];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
    std::vector<FileRef> outputs;
    if (plan.kind == PlanKind::kMerge) {
      ++merges_;
      outputs = Merge(plan);
    } else {
      ++moves_;
    }
    manifest::FamilyEdit edit;
    AppendToEdit(plan, outputs, &edit);
    Apply(edit);
  }

  std::vector<FileRef> Merge(const Plan& plan) {
    Entries merged;
    for (const PlanInput& input : plan.inputs) {
      Entries run;
      for (const FileRef& file : input.files) {
        const Entries& entries = files_.at(file->number);
        run.insert(run.end(), entries.begin(), entries.end());
      }
      Entries both;
      both.reserve(merged.size() + run.size());
      std::merge(merged.begin(), merged.end(), run.begin(), run.end(), std::back_inserter(both),
                 ByAge);
      merged = std::move(both);
    }
    OlderData older(plan.older_files, Bytewise());
    merged = Newest(std::move(merged), [&](uint32_t key) {
      return plan.output_level > 0 && older.Absent(KeyOf(key));
    });
    // Which damaged file of the level below holds the key, if any: outputs end where that changes.
    const auto damaged_below = [&plan](uint32_t key) -> const FileMetadata* {
      for (const FileRef& file : plan.grandparents) {
        const bool holds = file->smallest_key <= KeyOf(key) && KeyOf(key) <= file->largest_key;
        if (holds && file->quarantined()) return file.get();
      }
      return nullptr;
    };
    const bool any_damaged = std::any_of(plan.grandparents.begin(), plan.grandparents.end(),
                                         [](const FileRef& file) { return file->quarantined(); });
    std::vector<FileRef> outputs;
    const size_t per_file = plan.target_file_size / kEntryBytes;
    for (size_t begin = 0, end = 0; begin < merged.size(); begin = end) {
      end = std::min(begin + per_file, merged.size());
      for (size_t i = begin + 1; any_damaged && i < end; ++i) {
        if (damaged_below(merged[i].key) != damaged_below(merged[begin].key)) end = i;
      }
      outputs.push_back(AddFile(Entries(merged.begin() + static_cast<std::ptrdiff_t>(begin),
                                        merged.begin() + static_cast<std::ptrdiff_t>(end))));
    }
    return outputs;
  }

  const SimOptions options_;
  std::mt19937 random_;
  std::shared_ptr<const Version> version_ = std::make_shared<const Version>();
  std::map<FileNumber, Entries> files_;
  std::map<uint32_t, uint32_t> model_;
  std::vector<Plan> running_;
  Entries buffer_;
  uint32_t sequence_ = 0;
  uint64_t next_file_ = 1;
  uint64_t user_bytes_ = 0, disk_bytes_ = 0;
  uint64_t moves_ = 0, merges_ = 0;
  size_t max_runs_ = 0;
};

TEST(PolicySimulation, UniformOverwrites) {
  Simulator simulator(Defaults(), 1);
  std::mt19937 random(1);
  for (int i = 0; i < 400'000; ++i) simulator.Write(random() % 300'000, false);
  simulator.Settle();
  simulator.Report("uniform");
  simulator.Check();
  simulator.CheckReads();
  EXPECT_LT(simulator.WriteAmp(), 15);
}

TEST(PolicySimulation, AscendingKeysAreMovedAndNeverRewritten) {
  Simulator simulator(Defaults(), 1);
  for (uint32_t i = 0; i < 200'000; ++i) simulator.Write(i, false);
  simulator.Settle();
  simulator.Report("ascending");
  simulator.Check();
  simulator.CheckReads();
  EXPECT_EQ(simulator.merges(), 0u);
  EXPECT_EQ(simulator.WriteAmp(), 1.0);
}

TEST(PolicySimulation, SkewedOverwrites) {
  Simulator simulator(Defaults(), 2);
  std::mt19937 random(2);
  for (int i = 0; i < 250'000; ++i) {
    const uint32_t bits = 1 + random() % 18;
    simulator.Write((random() & ((1u << bits) - 1)) * 2654435761u, false);
  }
  simulator.Settle();
  simulator.Report("skewed");
  simulator.Check();
  simulator.CheckReads();
}

TEST(PolicySimulation, GivesDeletedSpaceBack) {
  Simulator simulator(Defaults(), 3);
  std::mt19937 random(3);
  for (int i = 0; i < 120'000; ++i) simulator.Write(random() % 80'000, false);
  const uint64_t before = simulator.version().TotalBytes();
  for (uint32_t key = 0; key < 80'000; ++key) simulator.Write(key, true);
  simulator.Settle();
  simulator.Report("deleted");
  simulator.Check();
  simulator.CheckReads();
  EXPECT_LT(simulator.version().TotalBytes(), before / 10);
}

TEST(PolicySimulation, ManualCompactionLeavesOneVersionAKey) {
  Simulator simulator(Defaults(), 4);
  std::mt19937 random(4);
  for (int i = 0; i < 120'000; ++i) simulator.Write(random() % 100'000, random() % 4 == 0);
  simulator.Compact();
  simulator.Settle();
  simulator.Report("manual");
  simulator.CheckReads();
  EXPECT_GT(simulator.version().TotalBytes(), 0u);
  EXPECT_EQ(simulator.version().LevelBytes(kLevelCount - 1), simulator.version().TotalBytes());
  EXPECT_EQ(DebtBytes(simulator.version(), Defaults().policy), 0u);
}

TEST(PolicySimulation, GoesOnBesideADamagedFile) {
  Simulator simulator(Defaults(), 5);
  std::mt19937 random(5);
  for (int i = 0; i < 120'000; ++i) simulator.Write(random() % 80'000, false);
  simulator.Settle();
  simulator.Quarantine(kLevelCount - 1);
  for (int i = 0; i < 60'000; ++i) simulator.Write(random() % 80'000, false);
  simulator.Settle();
  simulator.Report("damaged");
  simulator.CheckReads();
  EXPECT_LT(simulator.version().runs(0).size(), 4u);
  EXPECT_EQ(DebtBytes(simulator.version(), Defaults().policy), 0u);
}

// The level into which level 0 is merged holds a damaged file: level 0 is emptied all the same.
// Only what really overlaps that file stays above it, and no work is repeated for it.
TEST(PolicySimulation, EmptiesLevel0OverADamagedFileOfTheBaseLevel) {
  Simulator simulator(Defaults(), 8);
  std::mt19937 random(8);
  for (int i = 0; i < 40'000; ++i) simulator.Write(random() % 12'000, false);
  simulator.Settle();
  EXPECT_EQ(simulator.version().LevelBytes(kLevelCount - 2), 0u);
  simulator.Quarantine(kLevelCount - 1);
  const double before = simulator.WriteAmp();
  for (int i = 0; i < 80'000; ++i) simulator.Write(random() % 12'000, false);
  simulator.Settle();
  simulator.Report("damaged base");
  simulator.CheckReads();
  EXPECT_LT(simulator.version().runs(0).size(), 4u);
  EXPECT_EQ(DebtBytes(simulator.version(), Defaults().policy), 0u);
  EXPECT_LT(simulator.WriteAmp(), 2 * before);
  const manifest::Run& last = simulator.version().runs(kLevelCount - 1).front();
  const auto damaged = std::find_if(last.files.begin(), last.files.end(),
                                    [](const FileRef& file) { return file->quarantined(); });
  ASSERT_NE(damaged, last.files.end());
  ASSERT_FALSE(simulator.version().runs(kLevelCount - 2).empty());
  const manifest::Run& above = simulator.version().runs(kLevelCount - 2).front();
  for (const FileRef& file : above.files) {
    EXPECT_LE(file->smallest_key, (*damaged)->largest_key);
    EXPECT_GE(file->largest_key, (*damaged)->smallest_key);
  }
  EXPECT_LE(above.bytes, 2 * (*damaged)->file_size);
}

// The same data through memtables of a tenth and a hundredth of the size: one level more for each
// tenth, whatever files may grow to.
TEST(PolicySimulation, WriteAmplificationGrowsByOneLevelForATenthOfTheMemtable) {
  double previous = 0;
  for (const size_t flush_entries : {size_t{2000}, size_t{200}, size_t{20}}) {
    SimOptions options = Defaults();
    options.flush_entries = flush_entries;
    options.policy.min_file_size = flush_entries * kEntryBytes;
    options.policy.target_file_size = 4 * kFlushEntries * kEntryBytes;
    options.policy.max_base_bytes = 8 * flush_entries * kEntryBytes;
    Simulator simulator(options, 6);
    std::mt19937 random(6);
    for (int i = 0; i < 60'000; ++i) simulator.Write(random() % 20'000, false);
    simulator.Settle();
    simulator.Report(("memtable " + std::to_string(flush_entries)).c_str());
    simulator.Check();
    simulator.CheckReads();
    EXPECT_LT(simulator.WriteAmp(), previous + 12);
    previous = simulator.WriteAmp();
  }
}

// CompactRange beside writers and the policy's own plans comes to an end, and level 0 stays small.
TEST(PolicySimulation, ManualCompactionEndsBesideWriters) {
  Simulator simulator(Defaults(), 7);
  std::mt19937 random(7);
  for (int i = 0; i < 120'000; ++i) simulator.Write(random() % 100'000, false);
  uint32_t fresh = 1'000'000;
  simulator.Compact([&] {
    for (int i = 0; i < 4000; ++i) {
      simulator.Write(i % 2 == 0 ? random() % 100'000 : fresh++, false);
    }
  });
  simulator.Report("beside");
  simulator.CheckReads();
  simulator.Settle();
  simulator.Check();
  simulator.CheckReads();
}

TEST(PolicySimulation, HoldsUnderExtremeOptions) {
  for (uint32_t seed = 0; seed < 16; ++seed) {
    std::mt19937 random(100 + seed);
    SimOptions options = Defaults();
    options.slots = 1 + random() % 6;
    options.policy.level0_trigger = 1 + static_cast<int>(random() % 8);
    options.policy.level_multiplier = 2 + random() % 10;
    options.policy.target_file_size >>= random() % 5;
    options.policy.max_base_bytes >>= random() % 8;
    options.policy.max_plan_bytes >>= random() % 8;
    options.policy.max_grandparent_files = 1 + random() % 20;
    Simulator simulator(options, seed);
    const uint32_t keys = 1000u << (random() % 8);
    for (int i = 0; i < 20'000; ++i) simulator.Write(random() % keys, random() % 3 == 0);
    simulator.CheckReads();
    simulator.Settle();
    simulator.Check();
    simulator.CheckReads();
    simulator.Compact();
    simulator.CheckReads();
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace cambium::compaction
