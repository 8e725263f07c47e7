// A million random operations compared with std::map, the same stream with each of many extreme
// option sets: every result is compared, including those of held snapshots and iterators.
//
// Environment: CAMBIUM_MODEL_OPS, operations of one option set (default 50,000);
// CAMBIUM_MODEL_SEED.
#include "tests/support/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cambium/db.h"
#include "env/clock.h"
#include "env/testing/inline_executor.h"
#include "env/testing/manual_clock.h"
#include "env/testing/mem_file_system.h"

namespace cambium {
namespace {

using test::BatchOf;
using test::Difference;
using test::Model;
using test::Operation;
using test::OperationKind;
using test::OperationStream;
using test::StreamShape;

constexpr uint64_t kDefaultOperations = 50'000;
constexpr size_t kHeldMax = 4;
constexpr size_t kHistory = 12;

// The bytewise order, turned round.
class Reverse final : public Comparator {
 public:
  int Compare(std::string_view a, std::string_view b) const override { return b.compare(a); }
  const char* Name() const override { return "test.reverse"; }
  bool EqualMeansIdentical() const override { return true; }
};
const Reverse kReverse;

enum class Background { kInline, kThreads };

// What one run is made under.
struct Variant {
  const char* name;
  std::function<void(Options*, StreamShape*)> set;
  Background background = Background::kInline;
  env::MemOptions::LogMapping log_mapping = env::MemOptions::LogMapping::kMapped;
  bool unlogged = false;
};

constexpr auto kUnmapped = env::MemOptions::LogMapping::kWriteAtOnly;
constexpr auto kMapped = env::MemOptions::LogMapping::kMapped;

void Nothing(Options*, StreamShape*) {}

void ShortTtls(Options*, StreamShape* s) {
  s->max_ttl = 20'000;
  s->weights[static_cast<size_t>(OperationKind::kJump)] = 50;
}

const Variant kVariants[] = {
    {"Plain", Nothing},
    {"PlainThreads", Nothing, Background::kThreads},
    {"WriteAtLog", Nothing, Background::kInline, kUnmapped},
    {"NoCompression", [](Options* o, StreamShape*) { o->compression = Compression::kNone; }},
    {"StrongCompression", [](Options* o, StreamShape*) { o->compression_level = 9; }},
    {"NoFilter", [](Options* o, StreamShape*) { o->filter_bits_per_key = 0; }},
    {"ManyFilterBits", [](Options* o, StreamShape*) { o->filter_bits_per_key = 24; }},
    {"TinyCache", [](Options* o, StreamShape*) { o->block_cache_size = 1; }},
    {"SmallBudget",
     [](Options* o, StreamShape*) {
       o->memory_budget = size_t{1} << 20;
       o->memtable_size = 0;
       o->block_cache_size = 0;
     }},
    {"LargeMemtable",
     [](Options* o, StreamShape*) {
       o->memory_budget = size_t{64} << 20;
       o->memtable_size = size_t{8} << 20;
     },
     Background::kInline, kUnmapped},
    {"LargeFiles", [](Options* o, StreamShape*) { o->target_file_size = uint64_t{64} << 20; }},
    {"OneThread", [](Options* o, StreamShape*) { o->background_threads = 1; },
     Background::kThreads},
    {"FourThreads", [](Options* o, StreamShape*) { o->background_threads = 4; },
     Background::kThreads},
    {"ReverseOrder", [](Options* o, StreamShape*) { o->comparator = &kReverse; }},
    {"LargeValues",
     [](Options*, StreamShape* s) {
       s->large_value = 100'000;
       s->keys = 200;
     }},
    {"LongKeys", [](Options*, StreamShape* s) { s->long_key = 3000; }},
    {"Unlogged", Nothing, Background::kInline, kMapped, true},
    {"SyncWrites", [](Options*, StreamShape* s) { s->sync_part = 1; }, Background::kInline,
     kUnmapped},
    {"FewKeys", [](Options*, StreamShape* s) { s->keys = 12; }},
    {"ManyKeys",
     [](Options*, StreamShape* s) {
       s->keys = 20'000;
       s->weights[static_cast<size_t>(OperationKind::kCompareAll)] = 1;
       s->weights[static_cast<size_t>(OperationKind::kHold)] = 3;
     }},
    {"MergeAppend",
     [](Options* o, StreamShape* s) {
       o->merge_operator = AppendOperator(", ");
       s->weights[static_cast<size_t>(OperationKind::kMerge)] = 1500;
     }},
    {"Expiry", ShortTtls},
    {"ExpiryThreads", ShortTtls, Background::kThreads},
    {"ExpiryFewKeys",
     [](Options* o, StreamShape* s) {
       ShortTtls(o, s);
       s->keys = 30;
       s->max_ttl = 2000;
     }},
    {"ExpiryDefaultTtl",
     [](Options* o, StreamShape* s) {
       ShortTtls(o, s);
       o->families["default"].default_ttl = std::chrono::milliseconds(5000);
     }},
    {"MergeMaxThreads",
     [](Options* o, StreamShape* s) {
       o->merge_operator = MaxOperator();
       s->weights[static_cast<size_t>(OperationKind::kMerge)] = 5000;
       s->keys = 100;
     },
     Background::kThreads},
};

// A model, and when its entries expire. An entry that has expired is removed.
struct Timed {
  explicit Timed(const test::KeyLess& less) : entries(less) {}

  Model entries;
  std::map<std::string, uint64_t> expiries;
  std::chrono::milliseconds default_ttl{0};

  void Apply(const std::vector<test::Edit>& edits, uint64_t now) {
    test::Apply(edits, &entries);
    for (const test::Edit& edit : edits) NoteExpiry(edit, now);
  }
  void NoteExpiry(const test::Edit& edit, uint64_t now) {
    if (edit.span != test::Span::kKey) {
      std::erase_if(expiries, [this](const auto& one) { return !entries.contains(one.first); });
      return;
    }
    expiries.erase(edit.key);
    const std::chrono::milliseconds ttl = edit.ttl.value_or(default_ttl);
    if (!edit.value.has_value() || ttl.count() == 0) return;
    expiries[edit.key] = now + static_cast<uint64_t>(ttl.count()) * 1000;
  }
  void Expire(uint64_t now) {
    for (auto place = expiries.begin(); place != expiries.end();) {
      if (place->second > now) {
        ++place;
        continue;
      }
      entries.erase(place->first);
      place = expiries.erase(place);
    }
  }
};

// A snapshot and an iterator of one moment, and what they have to show: the iterator what had not
// expired at that moment. (Members in this order: the iterator goes first.)
struct Held {
  Timed timed;
  Model at_creation;
  ReadOptions options;
  std::unique_ptr<Iterator> iterator;
};

// The wall time changes only in a jump; the other times are the system's.
class JumpingClock final : public Clock {
 public:
  uint64_t NowMicros() override { return base_->NowMicros(); }
  uint64_t WallMicros() override { return wall_micros_.load(); }
  void SleepMicros(uint64_t micros) override { base_->SleepMicros(micros); }

  void Jump(int64_t micros) { wall_micros_.fetch_add(static_cast<uint64_t>(micros)); }

 private:
  const std::shared_ptr<Clock> base_ = env::DefaultClock();
  std::atomic<uint64_t> wall_micros_{env::ManualClock::kStartWallMicros};
};

// One database beside its model. Confined to one thread.
class ModelRun {
 public:
  ModelRun(const Variant& variant, uint64_t seed)
      : variant_(variant),
        stream_(seed, Shape()),
        timed_(test::KeyLess{options_.comparator}),
        now_(clock_->WallMicros()) {
    options_.clock = clock_;
    if (const auto given = options_.families.find("default"); given != options_.families.end()) {
      timed_.default_ttl = given->second.default_ttl;
    }
    env::MemOptions disk;
    disk.log_mapping = variant.log_mapping;
    options_.file_system = std::make_shared<env::MemFileSystem>(disk);
    if (variant.background == Background::kInline) {
      executor_ = std::make_shared<env::InlineExecutor>(seed);
      options_.executor = executor_;
    }
  }

  // Empty, or what differed.
  std::string Run(uint64_t operations) {
    std::string difference = Reopen();
    for (uint64_t i = 0; i < operations && difference.empty(); ++i) {
      const Operation operation = stream_.Next();
      history_.push_back(absl::StrCat(i, " ", operation.ToString()));
      if (history_.size() > kHistory) history_.pop_front();
      difference = Do(operation);
    }
    if (difference.empty()) difference = CompareAll();
    if (difference.empty()) difference = Reopen();
    if (difference.empty()) difference = CompareAll();
    return difference;
  }

  uint64_t flushes() const { return flushes_; }
  uint64_t compactions() const { return compactions_; }

  std::string History() const {
    std::string text;
    for (const std::string& line : history_) absl::StrAppend(&text, "\n  ", line);
    return text;
  }

 private:
  // Sets options_ too.
  StreamShape Shape() {
    options_.memory_budget = size_t{4} << 20;
    options_.memtable_size = size_t{64} << 10;
    options_.target_file_size = uint64_t{64} << 10;
    StreamShape shape;
    variant_.set(&options_, &shape);
    return shape;
  }

  static std::string Failed(const char* what, const absl::Status& status) {
    return status.ok() ? "" : absl::StrCat(what, ": ", status.ToString());
  }

  std::string Do(const Operation& operation) {
    switch (operation.kind) {
      case OperationKind::kPut:
      case OperationKind::kDelete:
      case OperationKind::kBatch:
      case OperationKind::kDeleteRange:
      case OperationKind::kDeleteFrom:
      case OperationKind::kClear:
        return Write(operation);
      case OperationKind::kPutIfAbsent:
      case OperationKind::kCompareAndSet:
      case OperationKind::kGetAndDelete:
      case OperationKind::kUpdate:
        return WriteConditionally(operation);
      case OperationKind::kJump:
        return Jump(operation);
      case OperationKind::kMerge:
        return Merge(operation);
      case OperationKind::kGet:
        return Get(operation);
      case OperationKind::kMultiGet:
        return MultiGet(operation);
      case OperationKind::kWalk:
        return Walk(operation);
      case OperationKind::kHold:
        Hold();
        return "";
      case OperationKind::kRelease:
        if (!held_.empty()) held_.pop_front();
        return "";
      case OperationKind::kRunJob:
        if (executor_ != nullptr) executor_->RunOne();
        return "";
      case OperationKind::kFlush:
        return Failed("flush", db_->Flush());
      case OperationKind::kCompactRange:
        return Failed("compact range", db_->CompactRange(operation.low, operation.high));
      case OperationKind::kCompareAll:
        return CompareAll();
      case OperationKind::kReopen:
        return Reopen();
    }
    return "unknown operation";
  }

  WriteOptions WriteOptionsOf(const Operation& operation) const {
    return {.sync = operation.sync && !variant_.unlogged, .disable_wal = variant_.unlogged};
  }

  std::string Write(const Operation& operation) {
    const WriteOptions options = WriteOptionsOf(operation);
    const test::Edit& first = operation.edits.front();
    absl::Status status;
    if (operation.kind == OperationKind::kPut) {
      WriteOptions with_ttl = options;
      with_ttl.ttl = first.ttl;
      status = db_->Put(first.key, *first.value, with_ttl);
    } else if (operation.kind == OperationKind::kDelete) {
      status = db_->Delete(first.key, options);
    } else if (operation.kind == OperationKind::kDeleteRange) {
      status = db_->DeleteRange(first.key, first.end, options);
    } else if (operation.kind == OperationKind::kDeleteFrom) {
      status = db_->DeleteFrom(first.key, options);
    } else if (operation.kind == OperationKind::kClear) {
      status = variant_.unlogged ? db_->Write(ClearingBatch(), options)
                                 : db_->ClearColumnFamily(*db_->DefaultColumnFamily());
    } else {
      status = db_->Write(BatchOf(operation.edits), options);
    }
    timed_.Apply(operation.edits, now_);
    return Failed("write", status);
  }

  std::string WriteConditionally(const Operation& operation) {
    WriteOptions options = WriteOptionsOf(operation);
    options.ttl = operation.edits.front().ttl;
    std::optional<test::Edit> applied;
    std::string difference =
        test::ConditionalDifference(db_.get(), operation, options, &timed_.entries, &applied);
    if (applied.has_value()) timed_.NoteExpiry(*applied, now_);
    return difference;
  }

  // A jump forward, or half as far back; then a write uses the time.
  std::string Jump(const Operation& operation) {
    const auto micros = static_cast<int64_t>(operation.draw % 2'000'000);
    clock_->Jump(operation.draw % 3 == 0 ? -micros / 2 : micros);
    now_ = std::max(now_, clock_->WallMicros());
    WriteOptions options = WriteOptionsOf(operation);
    options.ttl = std::chrono::milliseconds(1);
    const test::Edit edit{"the time", "now", options.ttl};
    timed_.Apply({edit}, now_);
    const absl::Status status = db_->Put(edit.key, *edit.value, options);
    if (!status.ok()) return Failed("put after a jump", status);
    timed_.Expire(now_);
    for (Held& held : held_) held.timed.Expire(now_);
    return ExpiryDifference();
  }

  // The difference between GetExpiry and the model for some keys; empty if there is none.
  std::string ExpiryDifference() {
    for (int i = 0; i < 4; ++i) {
      const std::string key = stream_.DrawKey();
      const auto found = db_->GetExpiry(key);
      const auto expected = timed_.expiries.find(key);
      if (absl::IsNotFound(found.status()) != !timed_.entries.contains(key)) {
        return absl::StrCat("get expiry: ", found.status().ToString());
      }
      if (!found.ok()) continue;
      const uint64_t micros =
          found->has_value()
              ? static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                          (*found)->time_since_epoch())
                                          .count())
              : 0;
      if (micros != (expected == timed_.expiries.end() ? 0 : expected->second)) {
        return absl::StrCat("get expiry: found ", micros);
      }
    }
    return "";
  }

  // Deletes everything, in either order of the variants.
  static WriteBatch ClearingBatch() {
    WriteBatch batch;
    batch.DeleteFrom("");
    batch.DeleteRange(std::string(2, '\xff'), "");
    batch.Delete("");
    return batch;
  }

  std::string Merge(const Operation& operation) {
    const test::Edit& edit = operation.edits.front();
    const absl::Status status = db_->Merge(edit.key, *edit.value, WriteOptionsOf(operation));
    const auto place = timed_.entries.find(edit.key);
    std::optional<std::string_view> existing;
    if (place != timed_.entries.end()) existing = place->second;
    const std::string_view operand = *edit.value;
    std::string merged;
    if (!options_.merge_operator->FullMerge(edit.key, existing, {&operand, 1}, &merged)) {
      return "the operator refuses its operand";
    }
    timed_.Apply({{edit.key, merged}}, now_);
    return Failed("merge", status);
  }

  // A held moment or, mostly, now.
  std::pair<const Model*, ReadOptions> DrawMoment(const Operation& operation) {
    const uint64_t draw = operation.draw % (3 * kHeldMax);
    if (draw >= held_.size()) return {&timed_.entries, {}};
    return {&held_[draw].timed.entries, held_[draw].options};
  }

  static std::string CompareValue(const Model& model, const std::string& key,
                                  const absl::Status& status, std::string_view value) {
    const auto place = model.find(key);
    const bool same =
        place == model.end() ? absl::IsNotFound(status) : status.ok() && value == place->second;
    if (same) return "";
    return absl::StrCat("got ", status.ToString(), " ", std::string(value.substr(0, 40)),
                        ", expected ",
                        place == model.end() ? "(none)" : place->second.substr(0, 40));
  }

  std::string Get(const Operation& operation) {
    const auto [model, options] = DrawMoment(operation);
    const std::string& key = operation.keys.front();
    PinnedValue value;
    const absl::Status status = db_->Get(key, &value, options);
    return CompareValue(*model, key, status, value.view());
  }

  std::string MultiGet(const Operation& operation) {
    const auto [model, options] = DrawMoment(operation);
    const std::vector<std::string_view> keys(operation.keys.begin(), operation.keys.end());
    std::vector<PinnedValue> values(keys.size());
    std::vector<absl::Status> statuses(keys.size());
    db_->MultiGet(keys, values, statuses, options);
    for (size_t i = 0; i < keys.size(); ++i) {
      std::string difference =
          CompareValue(*model, operation.keys[i], statuses[i], values[i].view());
      if (!difference.empty()) return absl::StrCat("multi-get, key ", i, ": ", difference);
    }
    return "";
  }

  std::string Walk(const Operation& operation) {
    // A held iterator has no bounds.
    if (!operation.low && !operation.high && !held_.empty() && operation.draw % 4 == 0) {
      Held& held = held_[operation.draw / 4 % held_.size()];
      return test::WalkDifference(held.iterator.get(), held.at_creation, operation);
    }
    auto [model, options] = DrawMoment(operation);
    options.lower_bound = operation.low;
    options.upper_bound = operation.high;
    options.fill_cache = operation.draw % 5 != 0;
    const auto it = db_->NewIterator(options);
    return test::WalkDifference(it.get(), *model, operation);
  }

  void Hold() {
    if (held_.size() == kHeldMax) held_.pop_front();
    Held held{timed_, timed_.entries, {}, nullptr};
    held.options.snapshot = db_->GetSnapshot();
    held.iterator = db_->NewIterator();
    held_.push_back(std::move(held));
  }

  std::string CompareAll() {
    std::string difference = Difference(db_.get(), timed_.entries);
    for (size_t i = 0; i < held_.size() && difference.empty(); ++i) {
      difference = Difference(db_.get(), held_[i].timed.entries, held_[i].options);
      if (!difference.empty()) difference = absl::StrCat("snapshot ", i, ": ", difference);
    }
    if (!difference.empty()) return difference;
    const Stats stats = db_->GetStats();
    if (stats.entries_in != stats.entries_out + stats.entries_shadowed + stats.tombstones_dropped +
                                stats.entries_merged + stats.entries_expired) {
      return absl::StrCat("entries: ", stats.entries_in, " in, ", stats.entries_out, " out, ",
                          stats.entries_shadowed, " shadowed, ", stats.tombstones_dropped,
                          " tombstones dropped");
    }
    return Failed("health", db_->GetHealth().cause);
  }

  std::string Reopen() {
    held_.clear();
    if (db_ != nullptr) {
      flushes_ += db_->GetStats().flushes;
      compactions_ += db_->GetStats().compactions;
      std::string difference = Failed("close", db_->Close());
      if (!difference.empty()) return difference;
      db_.reset();
    }
    auto db = DB::Open(options_, "db");
    if (db.ok()) db_ = *std::move(db);
    return Failed("open", db.status());
  }

  const Variant& variant_;
  Options options_;
  std::shared_ptr<env::InlineExecutor> executor_;
  OperationStream stream_;
  const std::shared_ptr<JumpingClock> clock_ = std::make_shared<JumpingClock>();
  Timed timed_;
  uint64_t now_;  // the database's time
  std::unique_ptr<DB> db_;
  std::deque<Held> held_;  // goes before the database
  std::deque<std::string> history_;
  uint64_t flushes_ = 0;
  uint64_t compactions_ = 0;
};

class ModelTest : public testing::TestWithParam<Variant> {};

INSTANTIATE_TEST_SUITE_P(All, ModelTest, testing::ValuesIn(kVariants),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(ModelTest, AnswersAsAMapDoes) {
  const uint64_t operations = test::FromEnvironment("CAMBIUM_MODEL_OPS", kDefaultOperations);
  const uint64_t seed = test::FromEnvironment("CAMBIUM_MODEL_SEED", 1);
  ModelRun run(GetParam(), seed);
  const std::string difference = run.Run(operations);
  EXPECT_EQ(difference, "") << "last operations:" << run.History()
                            << "\nrepeat: CAMBIUM_MODEL_SEED=" << seed
                            << " CAMBIUM_MODEL_OPS=" << operations
                            << " engine_model_test --gtest_filter=All/ModelTest.*/"
                            << GetParam().name;
  std::printf("%s: operations=%llu flushes=%llu compactions=%llu mismatches=%d\n", GetParam().name,
              static_cast<unsigned long long>(operations),
              static_cast<unsigned long long>(run.flushes()),
              static_cast<unsigned long long>(run.compactions()), difference.empty() ? 0 : 1);
  EXPECT_GT(run.flushes(), 0u);
  EXPECT_GT(run.compactions(), 0u);
}

}  // namespace
}  // namespace cambium
