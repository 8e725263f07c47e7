#include "engine/jobs/table_output.h"

#include <memory>
#include <utility>

#include "base/file_names.h"
#include "util/status_macros.h"

namespace cambium::engine {

absl::StatusOr<compaction::OutputTable> TableOutput::Create() {
  compaction::OutputTable table;
  table.number = context_->NewFileNumber();
  std::string path = TablePath(context_->path, table.number);
  {
    MutexLock lock(&mutex_);
    paths_.push_back(path);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, context_->fs()->CreateWritable(path));
  table.builder = std::make_unique<sstable::TableBuilder>(
      BuilderOptions(table.number, std::move(path)), std::move(file));
  return table;
}

absl::Status TableOutput::SyncDirectory() {
  {
    MutexLock lock(&mutex_);
    if (paths_.empty()) return absl::OkStatus();
  }
  return context_->fs()->SyncDirectory(context_->path);
}

void TableOutput::RemoveAll() {
  MutexLock lock(&mutex_);
  for (const std::string& path : paths_) {
    // A file that stays is an orphan: the next Open removes it.
    context_->fs()->Remove(path).IgnoreError();
  }
  paths_.clear();
}

sstable::TableBuilderOptions TableOutput::BuilderOptions(FileNumber number,
                                                         std::string path) const {
  const Options& options = context_->options;
  sstable::TableBuilderOptions builder;
  builder.order = context_->order;
  // Upper levels are rewritten soon: compressing them costs more time than it saves space.
  const bool last_level = level_ == kLevelCount - 1;
  builder.compression = last_level ? options.compression : Compression::kNone;
  builder.compression_level = options.compression_level;
  builder.filter_bits_per_key = options.filter_bits_per_key;
  builder.number = number;
  builder.path = std::move(path);
  builder.level = level_;
  return builder;
}

}  // namespace cambium::engine
