#include "tests/support/model.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cambium::test {
namespace {

constexpr size_t kShown = 40;

// The beginning of `bytes`, printable.
std::string Show(std::string_view bytes) {
  std::string text = absl::CEscape(std::string(bytes.substr(0, kShown)));
  if (bytes.size() > kShown) absl::StrAppend(&text, "…(", bytes.size(), " bytes)");
  return text;
}

std::string ShowStatus(const absl::Status& status) { return status.ToString(); }

constexpr std::array<const char*, kOperationKinds> kKindNames = {"put",
                                                                 "delete",
                                                                 "batch",
                                                                 "get",
                                                                 "multi-get",
                                                                 "walk",
                                                                 "hold",
                                                                 "release",
                                                                 "job",
                                                                 "flush",
                                                                 "compact-range",
                                                                 "compare-all",
                                                                 "reopen",
                                                                 "put-if-absent",
                                                                 "compare-and-set",
                                                                 "get-and-delete",
                                                                 "update",
                                                                 "delete-range",
                                                                 "delete-from",
                                                                 "clear",
                                                                 "merge",
                                                                 "jump"};

// The part of a model that an iterator with those bounds shows.
class Window {
 public:
  Window(const Model& model, const std::optional<std::string>& low,
         const std::optional<std::string>& high)
      : begin_(low ? model.lower_bound(*low) : model.begin()),
        end_(high ? model.lower_bound(*high) : model.end()),
        model_(model) {
    const KeyLess less = model.key_comp();
    if (low && high && !less(*low, *high)) end_ = begin_;
  }

  using Place = Model::const_iterator;
  Place begin() const { return begin_; }
  Place end() const { return end_; }
  // First key >= target.
  Place Seek(const std::string& target) const {
    const Place place = model_.lower_bound(target);
    if (begin_ == end_ || Before(place, begin_)) return begin_;
    return Before(place, end_) ? place : end_;
  }
  // Last key <= target; end() where there is none.
  Place SeekForPrev(const std::string& target) const {
    Place place = model_.upper_bound(target);
    if (begin_ == end_ || !Before(begin_, place)) return end_;
    if (Before(end_, place)) place = end_;
    return std::prev(place);
  }

 private:
  bool Before(Place a, Place b) const {
    if (a == model_.end()) return false;
    return b == model_.end() || model_.key_comp()(a->first, b->first);
  }

  Place begin_;
  Place end_;
  const Model& model_;
};

std::string StepDifference(const Iterator& it, Window::Place place, const Window& window) {
  if (!it.status().ok()) return absl::StrCat("iterator: ", ShowStatus(it.status()));
  const bool expected = place != window.end();
  if (it.Valid() != expected) {
    return absl::StrCat("iterator is ", it.Valid() ? "" : "not ", "valid",
                        it.Valid() ? absl::StrCat(" at ", Show(it.key())) : "", ", expected ",
                        expected ? Show(place->first) : "its end");
  }
  if (!expected) return "";
  if (it.key() != place->first) {
    return absl::StrCat("iterator at ", Show(it.key()), ", expected ", Show(place->first));
  }
  if (it.value() != place->second) {
    return absl::StrCat("iterator at ", Show(it.key()), " has value ", Show(it.value()),
                        ", expected ", Show(place->second));
  }
  return "";
}

std::string ScanDifference(DB* db, const Model& expected, const ReadOptions& options) {
  const Window window(expected, options.lower_bound, options.upper_bound);
  const auto it = db->NewIterator(options);
  it->SeekToFirst();
  for (auto place = window.begin();; ++place, it->Next()) {
    std::string difference = StepDifference(*it, place, window);
    if (!difference.empty()) return absl::StrCat("forward: ", difference);
    if (place == window.end()) break;
  }
  it->SeekToLast();
  for (auto place = window.end(); place != window.begin(); it->Prev()) {
    --place;
    std::string difference = StepDifference(*it, place, window);
    if (!difference.empty()) return absl::StrCat("backward: ", difference);
  }
  if (it->Valid()) return absl::StrCat("backward: not at an end but at ", Show(it->key()));
  return it->status().ok() ? "" : absl::StrCat("backward: ", ShowStatus(it->status()));
}

std::string PointDifference(DB* db, const Model& expected, const ReadOptions& options) {
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : expected) keys.push_back(key);
  std::vector<PinnedValue> values(keys.size());
  std::vector<absl::Status> statuses(keys.size());
  db->MultiGet(keys, values, statuses, options);
  PinnedValue single;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string& value = expected.find(keys[i])->second;
    if (!statuses[i].ok() || values[i].view() != value) {
      return absl::StrCat("multi-get of ", Show(keys[i]), ": ", ShowStatus(statuses[i]), " ",
                          Show(values[i].view()), ", expected ", Show(value));
    }
    const absl::Status status = db->Get(keys[i], &single, options);
    if (!status.ok() || single.view() != value) {
      return absl::StrCat("get of ", Show(keys[i]), ": ", ShowStatus(status), " ",
                          Show(single.view()), ", expected ", Show(value));
    }
  }
  return "";
}

}  // namespace

void Apply(const std::vector<Edit>& edits, Model* model) {
  for (const Edit& edit : edits) {
    if (edit.value.has_value()) {
      (*model)[edit.key] = *edit.value;
    } else if (edit.span == Span::kKey) {
      model->erase(edit.key);
    } else {
      const auto begin = edit.span == Span::kAll ? model->begin() : model->lower_bound(edit.key);
      const bool bounded = edit.span == Span::kRange;
      if (bounded && !model->key_comp()(edit.key, edit.end)) continue;
      model->erase(begin, bounded ? model->lower_bound(edit.end) : model->end());
    }
  }
}

WriteBatch BatchOf(const std::vector<Edit>& edits) {
  WriteBatch batch;
  for (const Edit& edit : edits) {
    if (edit.value.has_value()) {
      batch.Put(edit.key, *edit.value, edit.ttl);
    } else if (edit.span == Span::kRange) {
      batch.DeleteRange(edit.key, edit.end);
    } else if (edit.span == Span::kFrom) {
      batch.DeleteFrom(edit.key);
    } else {
      batch.Delete(edit.key);
    }
  }
  return batch;
}

std::string Operation::ToString() const {
  std::string text = kKindNames[static_cast<size_t>(kind)];
  if (sync) absl::StrAppend(&text, " sync");
  for (const Edit& edit : edits) {
    absl::StrAppend(&text, " ", Show(edit.key), "=", edit.value ? Show(*edit.value) : "(deleted)");
    if (edit.span == Span::kRange) absl::StrAppend(&text, " up to ", Show(edit.end));
    if (edit.span == Span::kFrom) absl::StrAppend(&text, " and all after it");
  }
  for (const std::string& key : keys) absl::StrAppend(&text, " ", Show(key));
  if (low) absl::StrAppend(&text, " from ", Show(*low));
  if (high) absl::StrAppend(&text, " to ", Show(*high));
  return text;
}

OperationStream::OperationStream(uint64_t seed, const StreamShape& shape)
    : shape_(shape), random_(seed), kinds_(shape.weights.begin(), shape.weights.end()) {}

std::string OperationStream::DrawKey() {
  // Half of the draws fall on a tenth of the keys. Key 0 is the empty one; keys differ in their
  // beginning, their middle or their length.
  const auto keys = static_cast<uint64_t>(shape_.keys);
  const uint64_t number = Draw(2) == 0 ? Draw(keys) : Draw(keys / 10 + 1);
  if (number == 0) return "";
  std::string key = absl::StrCat(absl::Hex(number * 0x9E37 % 0x10000, absl::kZeroPad4), "/",
                                 number % 3 == 0 ? "common-prefix-of-some/" : "", number);
  if (number % 11 == 0) key.push_back('\0');
  if (shape_.long_key != 0 && number % 17 == 0) key.append(shape_.long_key, 'x');
  return key;
}

std::string OperationStream::DrawValue() {
  // Starts with a number of its own, so that no two values of a stream are equal.
  std::string value = absl::StrCat("v", ++values_, ":");
  if (Draw(50) == 0) return "";
  const bool large = shape_.large_value != 0 && Draw(100) == 0;
  const size_t size = large ? shape_.large_value : Draw(shape_.max_value + 1);
  while (value.size() < size) {
    const uint64_t word = random_();
    // Half of each value compresses.
    value.append(reinterpret_cast<const char*>(&word), sizeof word).append("abcdefgh");
  }
  return value;
}

Edit OperationStream::DrawPut() {
  Edit edit{DrawKey(), DrawValue()};
  if (shape_.max_ttl != 0 && Draw(2) == 0) {
    edit.ttl = std::chrono::milliseconds(Draw(static_cast<uint64_t>(shape_.max_ttl) + 1));
  }
  return edit;
}

Edit OperationStream::DrawRange() {
  Edit edit{DrawKey(), std::nullopt, std::nullopt, Span::kRange};
  // Mostly a few keys: the first digits of a key are its place.
  constexpr size_t kDigits = 4;
  uint64_t place = 0;
  if (edit.key.size() >= kDigits) place = std::stoull(edit.key.substr(0, kDigits), nullptr, 16);
  edit.end =
      Draw(8) == 0 ? DrawKey() : absl::StrCat(absl::Hex(place + Draw(2000), absl::kZeroPad4));
  if (Draw(4) == 0) std::swap(edit.key, edit.end);
  return edit;
}

Operation OperationStream::Next() {
  Operation operation;
  operation.kind = static_cast<OperationKind>(kinds_(random_));
  operation.draw = random_();
  const double part = static_cast<double>(Draw(1'000'000)) / 1e6;
  switch (operation.kind) {
    case OperationKind::kPut:
    case OperationKind::kPutIfAbsent:
    case OperationKind::kMerge:
      operation.edits = {DrawPut()};
      operation.sync = part < shape_.sync_part;
      break;
    case OperationKind::kCompareAndSet:
    case OperationKind::kUpdate:
      operation.edits = {Draw(4) == 0 ? Edit{DrawKey(), std::nullopt} : DrawPut()};
      operation.sync = part < shape_.sync_part;
      break;
    case OperationKind::kDelete:
    case OperationKind::kGetAndDelete:
      operation.edits = {{DrawKey(), std::nullopt}};
      operation.sync = part < shape_.sync_part;
      break;
    case OperationKind::kBatch:
      for (uint64_t left = 1 + Draw(static_cast<uint64_t>(shape_.batch_max)); left > 0; --left) {
        operation.edits.push_back(Draw(3) == 0 ? Edit{DrawKey(), std::nullopt} : DrawPut());
        if (Draw(40) == 0) operation.edits.push_back(DrawRange());
      }
      operation.sync = part < shape_.sync_part;
      break;
    case OperationKind::kDeleteRange:
      operation.edits = {DrawRange()};
      break;
    case OperationKind::kDeleteFrom:
      operation.edits = {Edit{absl::StrCat(absl::Hex(0x8000 + Draw(0x8000))), std::nullopt,
                              std::nullopt, Span::kFrom}};
      break;
    case OperationKind::kClear:
      operation.edits = {Edit{"", std::nullopt, std::nullopt, Span::kAll}};
      break;
    case OperationKind::kGet:
      operation.keys = {DrawKey()};
      break;
    case OperationKind::kMultiGet:
      for (uint64_t left = 1 + Draw(24); left > 0; --left) operation.keys.push_back(DrawKey());
      break;
    case OperationKind::kWalk:
      for (uint64_t left = 1 + Draw(3); left > 0; --left) operation.keys.push_back(DrawKey());
      [[fallthrough]];
    case OperationKind::kCompactRange:
      if (Draw(3) == 0) operation.low = DrawKey();
      if (Draw(3) == 0) operation.high = DrawKey();
      break;
    default:
      break;
  }
  return operation;
}

std::string ConditionalDifference(DB* db, const Operation& operation, const WriteOptions& options,
                                  Model* model, std::optional<Edit>* applied) {
  const Edit& edit = operation.edits.front();
  const auto place = model->find(edit.key);
  std::optional<std::string> current, next = edit.value;
  if (place != model->end()) current = place->second;
  absl::Status status;
  absl::StatusCode expected = absl::StatusCode::kOk;
  std::optional<std::string> found = current;  // what the database read
  switch (operation.kind) {
    case OperationKind::kPutIfAbsent:
      status = db->PutIfAbsent(edit.key, *next, options);
      if (current.has_value()) expected = absl::StatusCode::kAlreadyExists;
      break;
    case OperationKind::kCompareAndSet: {
      std::optional<std::string> compared = current;
      if (operation.draw % 2 == 0) {
        if (operation.draw % 4 == 0 && current.has_value()) {
          compared.reset();
        } else {
          compared = current.value_or("") + "x";
        }
        expected = absl::StatusCode::kAborted;
      }
      status = db->CompareAndSet(edit.key, compared, next, options);
      break;
    }
    case OperationKind::kGetAndDelete: {
      const absl::StatusOr<std::string> deleted = db->GetAndDelete(edit.key, options);
      status = deleted.status();
      if (!current.has_value()) expected = absl::StatusCode::kNotFound;
      if (deleted.ok()) found = *deleted;
      break;
    }
    default:
      if (next.has_value()) next = current.value_or("").substr(0, 100) + *next;
      status = db->Update(
          edit.key,
          [&](std::optional<std::string_view> value) {
            found.reset();
            if (value.has_value()) found = std::string(*value);
            return next;
          },
          options);
  }
  if (status.code() != expected || found != current) {
    return absl::StrCat(operation.ToString(), ": ", ShowStatus(status), ", found ",
                        Show(found.value_or("(none)")), ", expected ",
                        Show(current.value_or("(none)")));
  }
  if (status.ok()) {
    *applied = {edit.key, next, edit.ttl};
    Apply({**applied}, model);
  }
  return "";
}

std::string Difference(DB* db, const Model& expected, const ReadOptions& options) {
  std::string difference = ScanDifference(db, expected, options);
  if (!difference.empty()) return difference;
  return PointDifference(db, expected, options);
}

std::string WalkDifference(Iterator* it, const Model& expected, const Operation& walk) {
  const Window window(expected, walk.low, walk.high);
  uint64_t turns = walk.draw;
  for (const std::string& key : walk.keys) {
    Window::Place place = window.end();
    const bool back = (turns & 1) != 0;
    if (back) {
      it->SeekForPrev(key);
      place = window.SeekForPrev(key);
    } else {
      it->Seek(key);
      place = window.Seek(key);
    }
    turns >>= 1;
    for (int step = 0; step <= 12; ++step) {
      std::string difference = StepDifference(*it, place, window);
      if (!difference.empty()) {
        return absl::StrCat(back ? "seek-for-prev " : "seek ", Show(key), ", step ", step, ": ",
                            difference);
      }
      if (place == window.end() || step == 12) break;
      // Mostly on in the direction it has; now and then it turns.
      const bool turn = (turns & 7) == 0;
      turns = turns >> 1 | turns << 63;
      if (back != turn) {
        it->Prev();
        place = place == window.begin() ? window.end() : std::prev(place);
      } else {
        it->Next();
        ++place;
      }
    }
  }
  return "";
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace cambium::test
