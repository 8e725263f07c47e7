#include "engine/read/view_iterator.h"

#include <utility>
#include <vector>

#include "base/file_names.h"
#include "base/merging_iterator.h"
#include "compaction/run_iterator.h"
#include "engine/read/db_iterator.h"
#include "sstable/table_reader.h"
#include "util/status_macros.h"

namespace cambium::engine {
namespace {

// The entries of one run. The view outlives it.
std::unique_ptr<InternalIterator> RunEntries(Context* context, const RunView& run,
                                             bool fill_cache) {
  auto open =
      [context, fill_cache](
          const manifest::FileRef& file) -> absl::StatusOr<std::unique_ptr<InternalIterator>> {
    absl::StatusOr<const sstable::TableReader*> reader =
        context->tables.GetHandle(file->number, file->file_size)->reader();
    if (!reader.ok()) {
      if (absl::IsDataLoss(reader.status())) {
        context->errors.NoteDamage(reader.status(), TablePath(context->path, file->number));
      }
      return reader.status();
    }
    sstable::TableIteratorOptions options;
    options.fill_cache = fill_cache;
    return (*reader)->NewIterator(options);
  };
  return compaction::NewRunIterator(context->order, run.run->files, std::move(open));
}

}  // namespace

std::unique_ptr<Iterator> NewViewIterator(Context* context, std::shared_ptr<const ReadView> view,
                                          SequenceNumber sequence, const ReadOptions& options) {
  std::vector<std::unique_ptr<InternalIterator>> children;
  children.push_back(view->active->table.NewIterator());
  for (const std::shared_ptr<MemSlot>& slot : view->frozen) {
    children.push_back(slot->table.NewIterator());
  }
  for (const RunView& run : view->tables->runs) {
    children.push_back(RunEntries(context, run, options.fill_cache));
  }
  std::unique_ptr<InternalIterator> input = NewMergingIterator(context->order, std::move(children));
  return NewDBIterator({.pin = std::move(view),
                        .input = std::move(input),
                        .order = context->order,
                        .sequence = sequence,
                        .lower_bound = options.lower_bound,
                        .upper_bound = options.upper_bound,
                        .stats = &context->stats});
}

}  // namespace cambium::engine
