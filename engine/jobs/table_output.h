// TableOutput: the SSTables that one job writes, until the manifest names them.
#ifndef CAMBIUM_ENGINE_JOBS_TABLE_OUTPUT_H_
#define CAMBIUM_ENGINE_JOBS_TABLE_OUTPUT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "compaction/run_merge.h"
#include "engine/context.h"
#include "util/mutex.h"

namespace cambium::engine {

// Thread-safe: the parts of a compaction share it.
class TableOutput {
 public:
  TableOutput(Context* context, int level) : context_(context), level_(level) {}
  TableOutput(const TableOutput&) = delete;
  TableOutput& operator=(const TableOutput&) = delete;

  // Draws a number and makes the file.
  absl::StatusOr<compaction::OutputTable> Create();
  // Makes the new files' directory entries durable: before the manifest names them (D4).
  absl::Status SyncDirectory();
  // The job failed before it went to the manifest: removes what it made.
  void RemoveAll();

 private:
  sstable::TableBuilderOptions BuilderOptions(FileNumber number, std::string path) const;

  Context* const context_;
  const int level_;
  Mutex mutex_;
  std::vector<std::string> paths_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cambium::engine

#endif  // CAMBIUM_ENGINE_JOBS_TABLE_OUTPUT_H_
