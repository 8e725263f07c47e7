#include "tools/cambium/commands.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/cambium/exit_code.h"
#include "tools/cambium/session.h"
#include "tools/cambium/streams.h"
#include "tools/cambium/text.h"

namespace cambium::tool {

int Get(const Arguments& arguments, Output* out) {
  const absl::StatusOr<std::string> key = Decode(arguments, arguments.key);
  if (!key.ok()) return Fail(key.status());
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kLook, &exit_code);
  DB* const db = session.db.get();
  if (db == nullptr) return exit_code;
  const absl::StatusOr<std::string> value = db->Get(*session.family, *key);
  if (absl::IsNotFound(value.status())) {
    return Fail(kNotFound, absl::StrCat("there is no key '", arguments.key, "'"));
  }
  if (!value.ok()) return Fail(value.status());
  if (arguments.hex) {
    out->Write(ToHex(*value));
  } else {
    out->Write(out->IsTerminal() ? EscapeForTerminal(*value) : *value);
  }
  out->Write("\n");
  return Finish(db, absl::OkStatus());
}

int Put(const Arguments& arguments, Output*) {
  const absl::StatusOr<std::string> key = Decode(arguments, arguments.key);
  const absl::StatusOr<std::string> value = Decode(arguments, arguments.value);
  if (!key.ok()) return Fail(key.status());
  if (!value.ok()) return Fail(value.status());
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kMake, &exit_code);
  DB* const db = session.db.get();
  if (db == nullptr) return exit_code;
  WriteOptions options;
  options.ttl = arguments.ttl;
  return Finish(db, db->Put(*session.family, *key, *value, options));
}

int PrintTtl(const Arguments& arguments, Output* out) {
  const absl::StatusOr<std::string> key = Decode(arguments, arguments.key);
  if (!key.ok()) return Fail(key.status());
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kLook, &exit_code);
  DB* const db = session.db.get();
  if (db == nullptr) return exit_code;
  const auto expiry = db->GetExpiry(*session.family, *key);
  if (absl::IsNotFound(expiry.status())) {
    return Fail(kNotFound, absl::StrCat("there is no key '", arguments.key, "'"));
  }
  if (!expiry.ok()) return Fail(expiry.status());
  if (expiry->has_value()) {
    const auto left = **expiry - std::chrono::system_clock::now();
    const auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    out->Write(absl::StrCat(std::max<int64_t>(millis, 0), "\n"));
  } else {
    out->Write("none\n");
  }
  return Finish(db, absl::OkStatus());
}

int Delete(const Arguments& arguments, Output*) {
  const absl::StatusOr<std::string> key = Decode(arguments, arguments.key);
  if (!key.ok()) return Fail(key.status());
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kChange, &exit_code);
  DB* const db = session.db.get();
  if (db == nullptr) return exit_code;
  return Finish(db, db->Delete(*session.family, *key));
}

int DeleteRange(const Arguments& arguments, Output*) {
  if (arguments.has_end == arguments.to_end) {
    return Fail(kUsage, "delete-range: where does the range end?",
                "name the key to stop before, or say --to-end");
  }
  const absl::StatusOr<std::string> begin = Decode(arguments, arguments.key);
  const absl::StatusOr<std::string> end = Decode(arguments, arguments.end);
  if (!begin.ok()) return Fail(begin.status());
  if (!end.ok()) return Fail(end.status());
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kChange, &exit_code);
  DB* const db = session.db.get();
  if (db == nullptr) return exit_code;
  return Finish(db, arguments.to_end ? db->DeleteFrom(*session.family, *begin)
                                     : db->DeleteRange(*session.family, *begin, *end));
}

int Merge(const Arguments& arguments, Output*) {
  const absl::StatusOr<std::string> key = Decode(arguments, arguments.key);
  const absl::StatusOr<std::string> operand = Decode(arguments, arguments.operand);
  if (!key.ok()) return Fail(key.status());
  if (!operand.ok()) return Fail(operand.status());
  if (!arguments.merge_operator.empty() && arguments.family != Arguments().family) {
    return Fail(kUsage, "--merge-operator goes with the default column family only",
                "family create gives a column family its operator");
  }
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kMake, &exit_code);
  DB* const db = session.db.get();
  if (db == nullptr) return exit_code;
  const absl::Status merged = db->Merge(*session.family, *key, *operand);
  if (absl::IsFailedPrecondition(merged)) {
    Finish(db, absl::OkStatus());
    return Fail(kUnsupported, std::string(merged.message()),
                "--merge-operator, or family create --merge-operator, sets one");
  }
  return Finish(db, merged);
}

int Count(const Arguments& arguments, Output* out) {
  absl::StatusOr<ReadOptions> options = Range(arguments);
  if (!options.ok()) return Fail(options.status());
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kLook, &exit_code);
  DB* const db = session.db.get();
  if (db == nullptr) return exit_code;
  uint64_t count = 0;
  absl::Status status;
  {
    Progress progress("count");
    const std::unique_ptr<Iterator> iterator = db->NewIterator(*session.family, *options);
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) progress.At(++count);
    status = iterator->status();
  }
  if (status.ok()) out->Write(absl::StrCat(count, "\n"));
  return Finish(db, status);
}

int PrintStats(const Arguments& arguments, Output* out) {
  int exit_code = kOk;
  const std::unique_ptr<DB> db = OpenOrFail(arguments, Access::kLook, &exit_code);
  if (db == nullptr) return exit_code;
  if (!arguments.json) {
    out->Write(db->GetProperty("cambium.stats").value_or(""));
    return Finish(db.get(), absl::OkStatus());
  }
  const Stats stats = db->GetStats();
  nlohmann::ordered_json json;
  json["version"] = std::string(Version());
  json["last_sequence"] = stats.last_sequence;
  json["live_bytes"] = stats.live_bytes_now;
  json["memtable_bytes"] = stats.memtable_bytes_now;
  json["block_cache_bytes"] = stats.block_cache_bytes_now;
  json["table_memory_bytes"] = stats.table_memory_bytes_now;
  json["compaction_debt_bytes"] = stats.compaction_debt_bytes_now;
  json["levels"] = nlohmann::ordered_json::array();
  for (size_t level = 0; level < stats.levels.size(); ++level) {
    const LevelStats& row = stats.levels[level];
    json["levels"].push_back({{"level", level},
                              {"runs", row.runs},
                              {"files", row.files},
                              {"bytes", row.bytes},
                              {"entries", row.entries},
                              {"tombstones", row.tombstones}});
  }
  out->Write(json.dump(2) + "\n");
  return Finish(db.get(), absl::OkStatus());
}

int PrintLevels(const Arguments& arguments, Output* out) {
  int exit_code = kOk;
  const std::unique_ptr<DB> db = OpenOrFail(arguments, Access::kLook, &exit_code);
  if (db == nullptr) return exit_code;
  out->Write(db->GetProperty("cambium.levels").value_or(""));
  return Finish(db.get(), absl::OkStatus());
}

int Verify(const Arguments& arguments, Output* out) {
  int exit_code = kOk;
  const std::unique_ptr<DB> db = OpenOrFail(arguments, Access::kLook, &exit_code);
  if (db == nullptr) return exit_code;
  const absl::Status status = db->Verify();
  if (status.ok()) {
    out->Write(
        absl::StrCat("ok: ", db->GetStats().live_bytes_now, " bytes in tables, and the log\n"));
  }
  return Finish(db.get(), status);
}

int Compact(const Arguments& arguments, Output*) {
  const absl::StatusOr<ReadOptions> range = Range(arguments);
  if (!range.ok()) return Fail(range.status());
  int exit_code = kOk;
  const Session session = OpenFamilyOrFail(arguments, Access::kChange, &exit_code);
  DB* const db = session.db.get();
  if (db == nullptr) return exit_code;
  return Finish(db, db->CompactRange(*session.family, range->lower_bound, range->upper_bound));
}

int Destroy(const Arguments& arguments, Output*) {
  if (!arguments.yes) {
    return Fail(kUsage, absl::StrCat("destroy removes the database at ", arguments.db),
                "say --yes if that is what you want");
  }
  // Opened once to check whether there is a database at all; a damaged one may also be destroyed.
  Options options;
  options.create_if_missing = false;
  options.read_only = true;
  const absl::Status found = DB::Open(options, arguments.db).status();
  if (absl::IsNotFound(found) || IsLockHeld(found)) return Fail(found);
  const absl::Status destroyed = DestroyDB(arguments.db);
  return destroyed.ok() ? kOk : Fail(destroyed);
}

int ListFamilies(const Arguments& arguments, Output* out) {
  int exit_code = kOk;
  const std::unique_ptr<DB> db = OpenOrFail(arguments, Access::kLook, &exit_code);
  if (db == nullptr) return exit_code;
  for (const std::string& name : db->ListColumnFamilies()) {
    out->Write((out->IsTerminal() ? EscapeForTerminal(name) : name) + "\n");
  }
  return Finish(db.get(), absl::OkStatus());
}

int CreateFamily(const Arguments& arguments, Output*) {
  int exit_code = kOk;
  // The operator is the new family's, not the default one's.
  Arguments opened;
  opened.db = arguments.db;
  const std::unique_ptr<DB> db = OpenOrFail(opened, Access::kMake, &exit_code);
  if (db == nullptr) return exit_code;
  ColumnFamilyOptions options;
  options.merge_operator = OperatorByName(arguments.merge_operator);
  return Finish(db.get(), db->CreateColumnFamily(arguments.name, options).status());
}

int DropFamily(const Arguments& arguments, Output*) {
  if (!arguments.yes) {
    return Fail(kUsage, absl::StrCat("family drop removes all data of '", arguments.name, "'"),
                "say --yes if that is what you want");
  }
  int exit_code = kOk;
  const std::unique_ptr<DB> db = OpenOrFail(arguments, Access::kChange, &exit_code);
  if (db == nullptr) return exit_code;
  return Finish(db.get(), db->DropColumnFamily(arguments.name));
}

int RenameFamily(const Arguments& arguments, Output*) {
  int exit_code = kOk;
  const std::unique_ptr<DB> db = OpenOrFail(arguments, Access::kChange, &exit_code);
  if (db == nullptr) return exit_code;
  return Finish(db.get(), db->RenameColumnFamily(arguments.name, arguments.new_name));
}

}  // namespace cambium::tool
