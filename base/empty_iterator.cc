#include "base/empty_iterator.h"

#include <string_view>
#include <utility>

namespace cambium {
namespace {

// Immutable after construction.
class EmptyIterator final : public InternalIterator {
 public:
  explicit EmptyIterator(absl::Status status) : status_(std::move(status)) {}

  void SeekToFirst() override {}
  void SeekToLast() override {}
  void Seek(std::string_view, Tag) override {}
  void SeekForPrev(std::string_view, Tag) override {}
  void Next() override {}
  void Prev() override {}
  absl::Status status() const override { return status_; }

 private:
  const absl::Status status_;
};

}  // namespace

std::unique_ptr<InternalIterator> NewEmptyIterator(absl::Status status) {
  return std::make_unique<EmptyIterator>(std::move(status));
}

}  // namespace cambium
