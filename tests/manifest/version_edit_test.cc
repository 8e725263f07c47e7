#include "manifest/version_edit.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/manifest/manifest_test_util.h"
#include "util/byte_reader.h"
#include "util/coding.h"

namespace cambium::manifest {
namespace {

using ::testing::HasSubstr;

constexpr char kEverything[] =
    "comparator \"cambium.Bytewise\"\n"
    "database 000102030405060708090a0b0c0d0eff\n"
    "next-file 12\n"
    "last-sequence 345\n"
    "log 7\n"
    "log-reach 9 4096\n"
    "session-start 5\n"
    "wall-micros 1700000000000000\n"
    "family 0\n"
    "  new-family \"default\"\n"
    "  flushed 340\n"
    "  delete L0 7\n"
    "  delete L1 8\n"
    "  add L5 run 3 file 9 physical 4 size 1024 keys \"a\\x00\"..\"m\\\"\\\\\" seqs 1..9 entries 9 "
    "tombstones 1 expiring 7 at 1600000000000000..1700000000000001 raw 900 digest "
    "deadbeef01234567\n"
    "  add L0 run 11 file 11 size 5 keys \"\"..\"\\xff\" seqs 0..0\n"
    "  add L0 run 11 file 10 size 6 keys \"b\"..\"c\" seqs 5..7 entries 3 expiring 2 at 5..6 "
    "range-deletes 2 covers 300 largest-exclusive\n"
    "  quarantine L6 4 \"checksum at 4096\"\n"
    "family 3\n"
    "  drop-family\n";

constexpr size_t kFields = 17;
constexpr size_t kFieldsOfFiles = 3;

TEST(VersionEdit, PrintsWhatItParses) {
  EXPECT_EQ(DebugString(ParseEdit(kEverything)), kEverything);
}

TEST(VersionEdit, DecodesWhatItEncodes) {
  const VersionEdit edit = ParseEdit(kEverything);
  const auto decoded = VersionEdit::Decode(edit.Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, edit);
  EXPECT_EQ(DebugString(*decoded), kEverything);
}

TEST(VersionEdit, IsEmptyWhenNothingIsSaid) {
  EXPECT_EQ(VersionEdit().Encode(), "");
  EXPECT_EQ(DebugString(VersionEdit()), "");
  const auto decoded = VersionEdit::Decode("");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, VersionEdit());
}

TEST(ManifestText, ReadsAnyBytesThatArePrinted) {
  VersionEdit edit;
  edit.comparator_name.emplace();
  for (int byte = 0; byte < 256; ++byte) {
    edit.comparator_name->push_back(static_cast<char>(byte));
    edit.comparator_name->push_back('7');  // a hexadecimal digit behind each
  }
  EXPECT_EQ(ParseEdit(DebugString(edit)), edit);
}

TEST(ManifestText, TakesThePhysicalNumberFromTheFile) {
  const VersionEdit edit = ParseEdit("add L1 file 5 keys \"a\"..\"b\"");
  EXPECT_EQ(edit.families.at(0).added.at(0).file.physical_number, FileNumber{5});
}

TEST(ManifestText, NamesTheLineThatItCannotRead) {
  for (const char* text : {"log 7\nadd L9 file 3 keys \"a\"..\"b\"", "log 7\nnonsense",
                           "log 7\nlog x", "log 7\nlog 8 9", "log 7\nadd L1 file 3 keys \"a\"..\"b",
                           "log 7\nadd L1 file 3 keys \"\\xg0\"..\"b\"", "log 7\ndatabase 00"}) {
    const auto edit = ParseVersionEdit(text);
    EXPECT_TRUE(absl::IsInvalidArgument(edit.status())) << text;
    EXPECT_THAT(edit.status().ToString(), HasSubstr("line 2")) << text;
  }
}

TEST(VersionEdit, DecodeSkipsAnUnknownFieldThatMayBeSkipped) {
  VersionEdit edit = ParseEdit("log 7");
  std::string bytes;
  AppendVarint64(&bytes, 1000 << 1);
  AppendLengthPrefixed(&bytes, "from the future");
  bytes += edit.Encode();
  const auto decoded = VersionEdit::Decode(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, edit);
}

TEST(VersionEdit, DecodeRefusesAnUnknownFieldThatMustBeUnderstood) {
  std::string bytes;
  AppendVarint64(&bytes, 1000 << 1 | 1);
  AppendLengthPrefixed(&bytes, "from the future");
  const auto decoded = VersionEdit::Decode(bytes);
  EXPECT_TRUE(absl::IsUnimplemented(decoded.status())) << decoded.status();
  EXPECT_THAT(decoded.status().ToString(), HasSubstr("1000"));
}

// The bytes of "add L1 file 5" with `extra` behind the last field of the file.
std::string AdditionWith(const std::string& extra) {
  const std::string plain = ParseEdit("add L1 file 5 keys \"a\"..\"b\"").Encode();
  ByteReader reader(plain);
  const uint64_t tag = reader.ReadVarint64();
  std::string value(reader.ReadLengthPrefixed());
  std::string bytes;
  AppendVarint64(&bytes, tag);
  AppendLengthPrefixed(&bytes, value + extra);
  return bytes;
}

TEST(VersionEdit, DecodeTreatsUnknownFieldsOfAFileByTheirBit) {
  std::string skipped, needed;
  AppendVarint64(&skipped, 77 << 1);
  AppendLengthPrefixed(&skipped, "x");
  AppendVarint64(&needed, 77 << 1 | 1);
  AppendLengthPrefixed(&needed, "x");
  EXPECT_TRUE(VersionEdit::Decode(AdditionWith(skipped)).ok());
  EXPECT_TRUE(absl::IsUnimplemented(VersionEdit::Decode(AdditionWith(needed)).status()));
  EXPECT_TRUE(absl::IsDataLoss(VersionEdit::Decode(AdditionWith("\xff")).status()));
}

TEST(VersionEdit, DecodeRefusesEachTruncation) {
  const VersionEdit edit = ParseEdit(kEverything);
  const std::string bytes = edit.Encode();
  size_t whole_edits = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto decoded = VersionEdit::Decode(std::string_view(bytes).substr(0, size));
    if (decoded.ok()) {
      ++whole_edits;  // cut between two fields
      EXPECT_NE(*decoded, edit);
    } else {
      EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << decoded.status();
    }
  }
  EXPECT_EQ(whole_edits, kFields);
}

// The one bit of a field that says nothing to a reader who knows its tag is the must-understand
// bit.
TEST(VersionEdit, DecodeAnswersForEachFlippedBit) {
  const VersionEdit edit = ParseEdit(kEverything);
  const std::string bytes = edit.Encode();
  size_t unchanged = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto decoded = VersionEdit::Decode(damaged);  // an edit or an error, and no crash
    if (decoded.ok() && *decoded == edit) ++unchanged;
  }
  EXPECT_EQ(unchanged, kFields + kFieldsOfFiles);
}

TEST(VersionEdit, DecodeRefusesNumbersOutOfRange) {
  VersionEdit edit;
  edit.Family(0).added.push_back({kLevelCount, 0, FileMetadata()});
  EXPECT_TRUE(absl::IsDataLoss(VersionEdit::Decode(edit.Encode()).status()));
  edit = VersionEdit();
  edit.last_sequence = kMaxSequenceNumber + 1;
  EXPECT_TRUE(absl::IsDataLoss(VersionEdit::Decode(edit.Encode()).status()));
  std::string value, encoded;
  AppendVarint64(&value, uint64_t{1} << 32);  // a family
  AppendVarint64(&value, 1);
  AppendVarint64(&encoded, 18 << 1 | 1);  // its flushed sequence number
  AppendLengthPrefixed(&encoded, value);
  EXPECT_TRUE(absl::IsDataLoss(VersionEdit::Decode(encoded).status()));
}

}  // namespace
}  // namespace cambium::manifest
