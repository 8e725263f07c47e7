#include "sstable/table/range_delete_block.h"

#include <cassert>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "util/byte_reader.h"
#include "util/coding.h"

namespace cambium::sstable {
namespace {

// The flags of a fragment.
constexpr uint8_t kBeginsAfterKey = 1;
constexpr uint8_t kEndsAfterKey = 2;
constexpr uint8_t kContinues = 4;  // begins at the end of the previous one: no begin key

KeyCut ReadCut(ByteReader* reader, bool after) {
  const std::string_view key = reader->ReadLengthPrefixed();
  if (key.size() > kMaxKeySize) reader->Fail();
  return after ? KeyCut::After(key) : KeyCut::Before(key);
}

// Reads one fragment; `end` is the end of the previous one, or the start. Fails the reader if the
// bytes are not a fragment.
void ReadFragment(const KeyOrder& order, ByteReader* reader, KeyCut* end,
                  std::vector<RangeTombstone>* tombstones) {
  const uint8_t flags = reader->ReadFixed8();
  const bool continues = (flags & kContinues) != 0;
  const bool begins_after = (flags & kBeginsAfterKey) != 0;
  if (flags > 7 || (continues && (begins_after || !end->has_key()))) reader->Fail();
  const KeyCut begin = continues ? *end : ReadCut(reader, begins_after);
  const KeyCut previous_end = *end;
  *end = ReadCut(reader, (flags & kEndsAfterKey) != 0);
  uint64_t sequence = 0;
  const uint64_t count = reader->ReadVarint64();
  if (count == 0 || CompareCuts(order, previous_end, begin) > 0 ||
      CompareCuts(order, begin, *end) >= 0) {
    reader->Fail();
  }
  for (uint64_t i = 0; reader->ok() && i < count; ++i) {
    const uint64_t number = reader->ReadVarint64();
    const bool valid = i == 0 ? number <= kMaxSequenceNumber : number < sequence;
    if (number == 0 || !valid) return reader->Fail();
    sequence = i == 0 ? number : sequence - number;
    tombstones->push_back({begin, *end, sequence});
  }
}

}  // namespace

std::string EncodeRangeDeletes(const KeyOrder& order,
                               std::span<const TombstoneFragment> fragments) {
  assert(!fragments.empty());
  std::string out;
  AppendFixed32(&out, static_cast<uint32_t>(fragments.size()));
  const TombstoneFragment* previous = nullptr;
  for (const TombstoneFragment& fragment : fragments) {
    assert(fragment.begin.has_key() && fragment.end.has_key() && !fragment.sequences.empty());
    const bool continues =
        previous != nullptr && CompareCuts(order, previous->end, fragment.begin) == 0;
    const bool begins_after = !continues && fragment.begin.place == KeyCut::Place::kAfter;
    const bool ends_after = fragment.end.place == KeyCut::Place::kAfter;
    out.push_back(static_cast<char>((begins_after ? kBeginsAfterKey : 0) |
                                    (ends_after ? kEndsAfterKey : 0) |
                                    (continues ? kContinues : 0)));
    if (!continues) AppendLengthPrefixed(&out, fragment.begin.key);
    AppendLengthPrefixed(&out, fragment.end.key);
    AppendVarint64(&out, fragment.sequences.size());
    SequenceNumber newer = 0;
    for (const SequenceNumber sequence : fragment.sequences) {
      assert(newer == 0 || sequence < newer);
      AppendVarint64(&out, newer == 0 ? sequence : newer - sequence);
      newer = sequence;
    }
    previous = &fragment;
  }
  return out;
}

absl::StatusOr<std::unique_ptr<const TombstoneIndex>> DecodeRangeDeletes(const KeyOrder& order,
                                                                         std::string_view bytes) {
  ByteReader reader(bytes);
  const uint32_t count = reader.ReadFixed32();
  std::vector<RangeTombstone> tombstones;
  KeyCut end = KeyCut::Start();
  for (uint32_t i = 0; reader.ok() && i < count; ++i) {
    const size_t offset = reader.offset();
    ReadFragment(order, &reader, &end, &tombstones);
    if (reader.ok()) continue;
    return absl::DataLossError(absl::StrCat("malformed fragment ", i, " of ", count, " at ", offset,
                                            " of ", bytes.size(), " bytes of range deletes"));
  }
  if (count == 0 || !reader.Finished()) {
    return absl::DataLossError(
        absl::StrCat("found ", count, " fragments in ", bytes.size(), " bytes of range deletes"));
  }
  return std::make_unique<const TombstoneIndex>(order, tombstones);
}

}  // namespace cambium::sstable
