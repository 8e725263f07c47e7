#include "engine/read/point_read.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/copy_or_pin.h"
#include "base/key_fold.h"
#include "sstable/table/table_reader.h"
#include "util/process.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// Keeps a memtable alive for a value in it.
struct MemTablePin {
  std::shared_ptr<MemSlot> slot;
  uint32_t made_in = ProcessGeneration();

  static void Release(void* argument) {
    std::unique_ptr<MemTablePin> pin(static_cast<MemTablePin*>(argument));
    if (pin->made_in != ProcessGeneration()) Abandon(std::move(pin));  // it belongs to the parent
  }
};

// Returns true if the memtables of the view decide `fold`.
bool ReadMemTables(const ReadView& view, const LookupKey& key, KeyFold* fold, PinnedValue* value) {
  const auto decided_by = [&](const std::shared_ptr<MemSlot>& slot) {
    const KeyFold::State state = slot->table.Get(key, fold);
    if (state == KeyFold::State::kValue) {
      CopyOrPin(fold->value(), value, [&slot] {
        auto pin = std::make_unique<MemTablePin>();
        pin->slot = slot;
        return ValuePin{&MemTablePin::Release, pin.release()};
      });
    }
    // If a range tombstone of the memtable covers the key, the fold is decided.
    return state != KeyFold::State::kMore;
  };
  if (decided_by(view.active)) return true;
  return std::any_of(view.frozen.begin(), view.frozen.end(), decided_by);
}

[[gnu::noinline]] absl::Status Merged(const KeyFold& fold, std::string_view key,
                                      PinnedValue* value) {
  std::string merged;
  RETURN_IF_ERROR(fold.Merge(key, &merged));
  value->Copy(merged);
  return absl::OkStatus();
}

// Returns the result of the fold to the caller of Get. A plain value was already set where it was
// found.
absl::Status Outcome(const KeyFold& fold, std::string_view key, PinnedValue* value) {
  switch (fold.state()) {
    case KeyFold::State::kValue:
      return absl::OkStatus();
    case KeyFold::State::kUnsupported:
      return UnsupportedKind(fold.kind());
    default:
      if (fold.has_operands()) return Merged(fold, key, value);
      return absl::Status(absl::StatusCode::kNotFound, "");
  }
}

// The arguments of ReadFiles().
struct FileRead {
  KeyFold* fold;
  PinnedValue* value;
  sstable::CacheFill fill;
};

// The state of a PointRead that needs a block that is not cached, or a table that is not open.
struct Miss {
  size_t run = 0;                  // where it continues
  sstable::TablePosition reached;  // in the table of that run
};

// Continues from `miss`, without a guard.
[[gnu::noinline]] absl::Status ReadFiles(const KeyOrder& order, const TablesView& tables, Miss miss,
                                         const LookupKey& key, const FileRead& out) {
  for (size_t i = miss.run; i < tables.runs.size() && !out.fold->decided(); ++i) {
    const LiveTable* table = tables.runs[i].Find(key, order);
    if (table == nullptr) continue;
    const absl::StatusOr<const sstable::TableReader*> reader = table->table().reader();
    absl::Status status = reader.status();
    if (status.ok()) {
      status = i == miss.run
                   ? (*reader)->GetFrom(std::move(miss.reached), key, out.fill, out.fold, out.value)
                   : (*reader)->Get(key, out.fill, out.fold, out.value);
    }
    if (!status.ok()) return table->Report(std::move(status));
    out.fold->EndSource();
  }
  return Outcome(*out.fold, key.key, out.value);
}

// One key of a MultiPointRead that no memtable decided.
struct Pending {
  Pending(std::string_view key, const ReadPoint& at, ReadTime* time)
      : lookup(key, at.sequence, at.tree->order),
        fold(at.sequence, at.tree->merge_operator.get(), time) {}

  LookupKey lookup;
  KeyFold fold;
  size_t index = 0;  // in the caller's spans
};

// Reads the keys of `group` from one table; removes keys with an error from `pending`.
void ReadTableForMany(const LiveTable& table, sstable::CacheFill fill,
                      std::vector<sstable::LookupRequest>* group) {
  absl::StatusOr<const sstable::TableReader*> reader = table.table().reader();
  if (!reader.ok()) {
    for (sstable::LookupRequest& request : *group) request.status = reader.status();
  } else {
    (*reader)->MultiGet(std::span(*group), fill);
  }
  for (sstable::LookupRequest& request : *group) {
    if (!request.status.ok()) request.status = table.Report(std::move(request.status));
  }
}

// Reads with a new fold.
inline absl::Status ReadInto(const ReadPoint& at, std::string_view key, PinnedValue* value,
                             KeyFold* new_fold) {
  const KeyOrder& order = at.tree->order;
  const LookupKey lookup(key, at.sequence, order);
  KeyFold& fold = *new_fold;
  if (ReadMemTables(*at.view, lookup, &fold, value)) return Outcome(fold, key, value);
  const std::vector<RunView>& runs = at.view->tables->runs;
  Miss miss;
  for (; miss.run < runs.size() && !fold.decided(); ++miss.run) {
    const LiveTable* table = runs[miss.run].Find(lookup, order);
    if (table == nullptr) continue;
    const sstable::TableReader* reader = table->table().reader_if_open();
    if (reader != nullptr && reader->GetCached(lookup, &fold, value, &miss.reached)) {
      fold.EndSource();
      continue;
    }
    const std::shared_ptr<const TablesView> tables = at.view->tables;
    at.guard->Close();
    return ReadFiles(order, *tables, std::move(miss), lookup, {&fold, value, at.fill});
  }
  return Outcome(fold, key, value);
}

}  // namespace

absl::Status PointRead(const ReadPoint& at, std::string_view key, PinnedValue* value,
                       ValueExpiry* expiry) {
  ReadTime time(at.wall);
  KeyFold fold(at.sequence, at.tree->merge_operator.get(), &time);
  absl::Status status = ReadInto(at, key, value, &fold);
  if (expiry != nullptr) *expiry = {fold.expiry_micros(), fold.has_operands()};
  return status;
}

void MultiPointRead(const ReadPoint& at, std::span<const std::string_view> keys,
                    std::span<PinnedValue> values, std::span<absl::Status> statuses) {
  const KeyOrder& order = at.tree->order;
  ReadTime time(at.wall);
  std::vector<Pending> pending;
  pending.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    Pending& read = pending.emplace_back(keys[i], at, &time);
    read.index = i;
    at.view->active->table.Prefetch(read.lookup.hash);
  }
  std::erase_if(pending, [&](Pending& read) {
    if (!ReadMemTables(*at.view, read.lookup, &read.fold, &values[read.index])) return false;
    statuses[read.index] = Outcome(read.fold, read.lookup.key, &values[read.index]);
    return true;
  });
  const std::shared_ptr<const TablesView> tables = at.view->tables;
  at.guard->Close();
  // In key order, the keys of one table and of one block are adjacent.
  std::sort(pending.begin(), pending.end(), [&](const Pending& a, const Pending& b) {
    return order.Less(a.lookup.key, b.lookup.key);
  });

  std::vector<sstable::LookupRequest> group;
  for (const RunView& run : tables->runs) {
    if (pending.empty()) break;
    for (size_t begin = 0; begin < pending.size();) {
      const LiveTable* table = run.Find(pending[begin].lookup, order);
      size_t end = begin + 1;
      if (table != nullptr) {
        while (end < pending.size() && !table->file().EndsBefore(pending[end].lookup.key, order)) {
          ++end;
        }
        group.clear();
        for (size_t i = begin; i < end; ++i) {
          Pending& read = pending[i];
          group.push_back({&read.lookup, &read.fold, &values[read.index], absl::OkStatus()});
        }
        ReadTableForMany(*table, at.fill, &group);
        for (size_t i = begin; i < end; ++i) {
          statuses[pending[i].index] = std::move(group[i - begin].status);
        }
      }
      begin = end;
    }
    std::erase_if(pending, [&](Pending& read) {
      absl::Status& status = statuses[read.index];
      if (!status.ok()) return true;
      if (!read.fold.EndSource()) return false;
      status = Outcome(read.fold, read.lookup.key, &values[read.index]);
      return true;
    });
  }
  for (const Pending& read : pending) {
    statuses[read.index] = Outcome(read.fold, read.lookup.key, &values[read.index]);
  }
}

}  // namespace cambium::engine
