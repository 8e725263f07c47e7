#include "tests/support/indexed_writes.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_names.h"

namespace cambium::test {
namespace {

constexpr uint64_t kBaseDistance = 64;

}  // namespace

IndexedWrites::IndexedWrites(uint64_t seed, int keys, size_t max_value)
    : keys_(keys), max_value_(max_value), random_(seed) {}

std::vector<Edit> IndexedWrites::Draw(uint64_t index) {
  std::vector<Edit> edits;
  // One write in eight is the marker alone, as a single put.
  const uint64_t others = random_() % 8 == 0 ? 0 : 1 + random_() % 5;
  for (uint64_t i = 0; i < others; ++i) {
    const uint64_t number = random_() % static_cast<uint64_t>(keys_);
    Edit edit{absl::StrCat("key", absl::Dec(number, absl::kZeroPad5)), std::nullopt};
    if (random_() % 5 != 0) {
      std::string value = absl::StrCat(index, ":");
      const size_t size = random_() % (max_value_ + 1);
      while (value.size() < size) {
        const uint64_t word = random_();
        value.append(reinterpret_cast<const char*>(&word), sizeof word);
      }
      edit.value = std::move(value);
      // A third of the values has an expiry, which no test reaches.
      if ((index + i) % 3 == 0) edit.ttl = std::chrono::hours(24 * 365);
    } else if (random_() % 4 == 0) {
      // Never the marker, whose key is before them.
      edit.span = Span::kRange;
      edit.end = absl::StrCat("key", absl::Dec(number + random_() % 10, absl::kZeroPad5));
    }
    edits.push_back(std::move(edit));
  }
  // Anywhere in the batch: a batch cut at any place shows.
  edits.insert(edits.begin() + static_cast<std::ptrdiff_t>(random_() % (others + 1)),
               {std::string(kMarkerKey), absl::StrCat(index),
                index % 2 == 0 ? std::nullopt : std::optional(std::chrono::milliseconds::max())});
  return edits;
}

absl::Status IndexedWrites::WriteNext(DB* db, const WriteOptions& options) {
  edits_.push_back(Draw(edits_.size() + 1));
  const std::vector<Edit>& edits = edits_.back();
  if (edits.size() == 1) {
    WriteOptions with_ttl = options;
    with_ttl.ttl = edits[0].ttl;
    return db->Put(edits[0].key, *edits[0].value, with_ttl);
  }
  return db->Write(BatchOf(edits), options);
}

const Model& IndexedWrites::At(uint64_t prefix) {
  if (prefix < model_prefix_) {
    if (prefix < base_prefix_) {
      base_.clear();
      base_prefix_ = 0;
    }
    model_ = base_;
    model_prefix_ = base_prefix_;
  }
  while (model_prefix_ < prefix) {
    Apply(edits_[model_prefix_], &model_);
    ++model_prefix_;
    if (model_prefix_ == base_prefix_ + 2 * kBaseDistance) {
      for (uint64_t i = 0; i < kBaseDistance; ++i) Apply(edits_[base_prefix_ + i], &base_);
      base_prefix_ += kBaseDistance;
    }
  }
  return model_;
}

absl::StatusOr<uint64_t> PrefixOf(DB* db) {
  const absl::StatusOr<std::string> marker = db->Get(kMarkerKey);
  if (absl::IsNotFound(marker.status())) return 0;
  if (!marker.ok()) return marker.status();
  uint64_t prefix = 0;
  const char* const end = marker->data() + marker->size();
  if (std::from_chars(marker->data(), end, prefix).ptr != end) {
    return absl::DataLossError(absl::StrCat("the marker is \"", *marker, "\""));
  }
  return prefix;
}

std::string OrphansOf(const DB& db, FileSystem* files, const std::string& path) {
  const absl::StatusOr<std::vector<std::string>> names = files->ListDirectory(path);
  if (!names.ok()) return names.status().ToString();
  uint64_t tables = 0, manifests = 0, temporaries = 0, foreign = 0;
  for (const std::string& name : *names) {
    const std::optional<ParsedFileName> file = ParseFileName(name);
    foreign += file.has_value() ? 0 : 1;
    if (!file.has_value()) continue;
    tables += file->type == FileType::kTable ? 1 : 0;
    manifests += file->type == FileType::kManifest ? 1 : 0;
    temporaries += file->type == FileType::kTemporary ? 1 : 0;
  }
  uint64_t live = 0;
  for (const LevelStats& level : db.GetStats().levels) live += level.files;
  if (tables == live && manifests == 1 && temporaries == 0 && foreign == 0) return "";
  std::string text = absl::StrCat(live, " live tables, 1 manifest, and in the directory:");
  for (const std::string& name : *names) absl::StrAppend(&text, " ", name);
  return text;
}

}  // namespace cambium::test
