#include "wal/log_reader.h"

#include <functional>
#include <random>

#include "env/testing/mem_file_system.h"
#include "tests/wal/wal_test_util.h"
#include "util/checksum.h"
#include "util/coding.h"
#include "wal/log_format.h"

namespace cambium::wal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A log built byte by byte, so that it can be wrong in any way.
class LogReaderTest : public ::testing::Test {
 protected:
  LogReaderTest() { EXPECT_TRUE(files_.CreateDirectory("db").ok()); }

  // Begins a segment; records go into it until it is written.
  struct Draft {
    uint64_t number;
    std::string bytes;
  };

  static Draft Begin(uint64_t number, LogPosition previous_end = {},
                     LogPosition synced_up_to = {}) {
    SegmentHeader header;
    header.uuid = kTestUuid;
    header.segment = number;
    header.previous_end = previous_end;
    header.synced_up_to = synced_up_to;
    const auto bytes = EncodeSegmentHeader(header);
    return {number, std::string(bytes.data(), bytes.size())};
  }

  // Where the record begins.
  static uint64_t Add(Draft* draft, uint64_t sequence, std::string_view payload,
                      LogPosition synced_up_to = {}, RecordKind kind = RecordKind::kFull) {
    const uint64_t offset = draft->bytes.size();
    std::string record(kRecordHeaderSize, '\0');
    EncodeRecordHeader({static_cast<uint32_t>(payload.size()), kind, sequence, synced_up_to},
                       record.data());
    record += payload;
    StoreFixed32(record.data(), RecordChecksum(record, {draft->number, offset}));
    record.resize(RecordSize(payload.size()));
    draft->bytes += record;
    return offset;
  }

  void Write(const Draft& draft, size_t tail_of_zeros = 200) {
    ReplaceFile(files_, SegmentPath("db", draft.number),
                draft.bytes + std::string(tail_of_zeros, '\0'));
  }

  env::MemFileSystem files_;
};

TEST_F(LogReaderTest, NoSegmentsIsAnEmptyLog) {
  const ReadBack back = ReadLogIn(files_);
  ASSERT_OK(back.status);
  EXPECT_EQ(back.replay.end, LogPosition());
}

TEST_F(LogReaderTest, TornRecordAfterTheLastWatermarkIsDropped) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  const uint64_t torn = Add(&one, 2, "second");
  Add(&one, 3, "third", {1, torn});  // all before the torn one was synced, and not more
  one.bytes[torn + kRecordHeaderSize] ^= 1;
  Write(one);
  const ReadBack back = ReadLogIn(files_);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), ElementsAre(1));
  EXPECT_EQ(back.replay.end, (LogPosition{1, torn}));
  EXPECT_GT(back.replay.dropped_bytes, 0u);
}

TEST_F(LogReaderTest, BadRecordBeforeAWatermarkIsDataLossThatSaysWhat) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  const uint64_t bad = Add(&one, 2, "second");
  const uint64_t synced = Add(&one, 3, "third");
  const uint64_t watermark = Add(&one, 4, "fourth", {1, synced});
  one.bytes[bad + kRecordHeaderSize] ^= 1;
  Write(one);
  const ReadBack back = ReadLogIn(files_);
  ASSERT_TRUE(absl::IsDataLoss(back.status)) << back.status;
  EXPECT_THAT(back.Sequences(), ElementsAre(1));
  const std::string message = MessageOf(back.status);
  EXPECT_THAT(message, HasSubstr("db/000001.log: offset " + std::to_string(bad)));
  EXPECT_THAT(message, HasSubstr("found checksum 0x"));
  EXPECT_THAT(message, HasSubstr("expected 0x"));
  EXPECT_THAT(message, HasSubstr("offset " + std::to_string(watermark) + " of segment 1 says"));
  EXPECT_THAT(message, HasSubstr("truncate --size=" + std::to_string(bad) + " 'db/000001.log'"));

  // And the salvage that it names works.
  one.bytes.resize(bad);
  Write(one, 0);
  const ReadBack salvaged = ReadLogIn(files_);
  ASSERT_OK(salvaged.status);
  EXPECT_THAT(salvaged.Sequences(), ElementsAre(1));
}

TEST_F(LogReaderTest, ZerosBeforeAWatermarkAreDataLoss) {
  Draft one = Begin(1);
  const uint64_t lost = Add(&one, 1, std::string(1000, 'x'));
  const uint64_t next = Add(&one, 2, "second");
  one.bytes.append(3 << 20, '\0');  // far away, in another chunk of the reader
  Add(&one, 3, "third", {1, next});
  std::fill(one.bytes.begin() + static_cast<ptrdiff_t>(lost),
            one.bytes.begin() + static_cast<ptrdiff_t>(next), '\0');
  Write(one);
  const ReadBack back = ReadLogIn(files_);
  EXPECT_TRUE(absl::IsDataLoss(back.status)) << back.status;
  EXPECT_THAT(MessageOf(back.status), HasSubstr("offset 88: found zeros"));
}

TEST_F(LogReaderTest, WatermarkIsFoundAtEveryPlaceInAPageAndChunk) {
  for (const uint64_t gap :
       {0, 8, 4096 - 24, 4096 - 16, 4096 - 8, 4096, (1 << 20) - 16, (1 << 20) - 8, 1 << 20}) {
    Draft one = Begin(1);
    const uint64_t bad = Add(&one, 1, "first");
    one.bytes[bad] ^= 1;
    one.bytes.append(gap, '\0');
    Add(&one, 2, "second", {1, bad + 8});
    Write(one);
    EXPECT_TRUE(absl::IsDataLoss(ReadLogIn(files_).status)) << gap;
  }
}

TEST_F(LogReaderTest, WatermarkThatNoWriterWritesIsNotBelieved) {
  Draft one = Begin(1);
  const uint64_t bad = Add(&one, 1, "first");
  one.bytes[bad] ^= 1;
  const uint64_t later = Add(&one, 2, "second", {1, 100000});  // beyond itself
  Add(&one, 3, "third", {2, 0});
  ASSERT_GT(later, bad);
  Write(one);
  EXPECT_OK(ReadLogIn(files_).status);
}

TEST_F(LogReaderTest, WatermarkInALaterSegmentCounts) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  const uint64_t bad = Add(&one, 2, "second");
  const uint64_t end = one.bytes.size();
  one.bytes[bad] ^= 1;
  Write(one);
  Draft two = Begin(2, {1, end});
  Add(&two, 3, "third");
  Write(two);
  const ReadBack torn = ReadLogIn(files_);
  ASSERT_OK(torn.status);  // nothing was synced: both are lost together
  EXPECT_THAT(torn.Sequences(), ElementsAre(1));
  EXPECT_EQ(torn.replay.end, (LogPosition{1, bad}));
  EXPECT_THAT(torn.replay.chain, ElementsAre(1));
  EXPECT_THAT(torn.replay.obsolete, ElementsAre(2));

  Draft promising = Begin(2, {1, end});
  Add(&promising, 3, "third", {1, end});
  Write(promising);
  const ReadBack damaged = ReadLogIn(files_);
  EXPECT_TRUE(absl::IsDataLoss(damaged.status));
  EXPECT_THAT(MessageOf(damaged.status), HasSubstr("000001.log: offset " + std::to_string(bad)));

  Write(Begin(2, {1, end}, {1, end}));  // its header says it
  EXPECT_TRUE(absl::IsDataLoss(ReadLogIn(files_).status));
}

TEST_F(LogReaderTest, SuccessorCutsWhatAnEarlierRecoveryDropped) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  const uint64_t cut = Add(&one, 2, "unknown outcome");
  Add(&one, 3, "too");
  Write(one);
  Draft two = Begin(2, {1, one.bytes.size()});  // of the run that was cut off
  Add(&two, 4, "four");
  Write(two);
  Draft three = Begin(3, {1, cut});
  Add(&three, 2, "second again");
  Write(three);
  const ReadBack back = ReadLogIn(files_);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.records, ElementsAre(std::pair<uint64_t, std::string>(1, "first"),
                                        std::pair<uint64_t, std::string>(2, "second again")));
  EXPECT_THAT(back.replay.chain, ElementsAre(1, 3));
  EXPECT_THAT(back.replay.obsolete, ElementsAre(2));
}

TEST_F(LogReaderTest, PreparedSegmentsThatWereNeverUsedAreObsolete) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  Write(one);
  ReplaceFile(files_, SegmentPath("db", 2), std::string(4096, '\0'));
  ReplaceFile(files_, SegmentPath("db", 3), "");
  const ReadBack back = ReadLogIn(files_);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), ElementsAre(1));
  EXPECT_THAT(back.replay.obsolete, ElementsAre(2, 3));
  EXPECT_EQ(back.replay.dropped_bytes, 0u);
}

TEST_F(LogReaderTest, MissingSegmentIsDataLoss) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  Write(one);
  Draft three = Begin(3, {2, 500});
  Add(&three, 5, "fifth");
  Write(three);
  const ReadBack back = ReadLogIn(files_);
  EXPECT_TRUE(absl::IsDataLoss(back.status));
  EXPECT_THAT(MessageOf(back.status), HasSubstr("db/000002.log: found no such file"));
  EXPECT_THAT(back.Sequences(), IsEmpty());
  // Not where it is older than what is needed.
  EXPECT_THAT(ReadLogIn(files_, "db", 3).Sequences(), ElementsAre(5));
}

TEST_F(LogReaderTest, DamagedHeaderIsDataLossIfItsRecordsWereSynced) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  Write(one);
  const uint64_t end = one.bytes.size();
  Draft two = Begin(2, {1, end});
  const uint64_t synced = Add(&two, 2, "second");
  two.bytes[20] ^= 1;
  Write(two);
  const ReadBack torn = ReadLogIn(files_);
  ASSERT_OK(torn.status);  // it may never have been synced
  EXPECT_THAT(torn.Sequences(), ElementsAre(1));

  Add(&two, 3, "third", {2, synced});
  Write(two);
  const ReadBack damaged = ReadLogIn(files_);
  EXPECT_TRUE(absl::IsDataLoss(damaged.status));
  EXPECT_THAT(MessageOf(damaged.status),
              HasSubstr("db/000002.log: offset 0: found a header that does not check"));
}

TEST_F(LogReaderTest, SegmentAboveATornHeaderIsDroppedUnlessItHasAWatermark) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  const uint64_t end = one.bytes.size();
  Write(one);
  Draft two = Begin(2, {1, end});
  Add(&two, 2, "second");
  const uint64_t end_of_two = two.bytes.size();
  two.bytes[3] ^= 1;
  Write(two);
  Draft three = Begin(3, {2, end_of_two});
  Add(&three, 3, "third", {1, end});
  Write(three);
  const ReadBack torn = ReadLogIn(files_);
  ASSERT_OK(torn.status);
  EXPECT_THAT(torn.Sequences(), ElementsAre(1));
  EXPECT_THAT(torn.replay.obsolete, ElementsAre(2, 3));

  Add(&three, 4, "fourth", {2, end_of_two});
  Write(three);
  EXPECT_TRUE(absl::IsDataLoss(ReadLogIn(files_).status));
}

TEST_F(LogReaderTest, WatermarkInSegmentsThatNobodyNeedsIsNoLoss) {
  Draft five = Begin(5, {4, 500});
  const uint64_t synced = Add(&five, 9, "nine", {4, 500});
  five.bytes[20] ^= 1;
  Write(five);
  const ReadBack back = ReadLogIn(files_, "db", 5);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.replay.obsolete, ElementsAre(5));
  Add(&five, 10, "ten", {5, synced});
  Write(five);
  EXPECT_TRUE(absl::IsDataLoss(ReadLogIn(files_, "db", 5).status));
}

TEST_F(LogReaderTest, LogOfAnotherDatabaseIsDataLossOnlyInThePlaceOfOurs) {
  SegmentHeader header;
  header.uuid = kTestUuid;
  header.uuid[0] ^= 1;
  header.segment = 1;
  const auto bytes = EncodeSegmentHeader(header);
  ReplaceFile(files_, SegmentPath("db", 1), {bytes.data(), bytes.size()});
  EXPECT_OK(ReadLogIn(files_).status);
  const ReadBack back = ReadLogIn(files_, "db", 0, {1, 0});
  EXPECT_TRUE(absl::IsDataLoss(back.status));
  EXPECT_THAT(MessageOf(back.status), HasSubstr("another database"));
}

TEST_F(LogReaderTest, NewerFormatsAreUnimplemented) {
  Draft one = Begin(1);
  Add(&one, 1, "part of a record", {}, RecordKind::kFirst);
  Write(one);
  EXPECT_TRUE(absl::IsUnimplemented(ReadLogIn(files_).status));

  SegmentHeader header;
  header.uuid = kTestUuid;
  header.segment = 1;
  header.must_understand = 1;
  const auto bytes = EncodeSegmentHeader(header);
  ReplaceFile(files_, SegmentPath("db", 1), {bytes.data(), bytes.size()});
  EXPECT_TRUE(absl::IsUnimplemented(ReadLogIn(files_).status));
}

TEST_F(LogReaderTest, SequenceNumbersThatDoNotRiseAreDataLoss) {
  Draft one = Begin(1);
  Add(&one, 5, "five");
  Add(&one, 5, "five again");
  Write(one);
  EXPECT_TRUE(absl::IsDataLoss(ReadLogIn(files_).status));
}

TEST_F(LogReaderTest, CallbackErrorEndsTheReadingAndNamesThePlace) {
  Draft one = Begin(1);
  Add(&one, 1, "first");
  const uint64_t second = Add(&one, 2, "second");
  Write(one);
  LogReadOptions options;
  options.file_system = &files_;
  options.segment_path = [](uint64_t number) { return SegmentPath("db", number); };
  options.uuid = kTestUuid;
  options.segments = {1};
  const auto replay = ReadLog(options, [](uint64_t sequence, std::string_view) {
    return sequence == 2 ? absl::DataLossError("no batch") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsDataLoss(replay.status()));
  EXPECT_THAT(MessageOf(replay.status()),
              HasSubstr("offset " + std::to_string(second) + ": no batch"));
}

TEST_F(LogReaderTest, LengthBeyondTheFileTakesNoMemory) {
  Draft one = Begin(1);
  const uint64_t offset = Add(&one, 1, "first");
  StoreFixed32(one.bytes.data() + offset + 4, UINT32_MAX);
  Write(one);
  const ReadBack back = ReadLogIn(files_);
  ASSERT_OK(back.status);
  EXPECT_THAT(back.Sequences(), IsEmpty());
}

TEST_F(LogReaderTest, ManyFalseRecordsEndInBoundedTime) {
  // Each 8 bytes look like the beginning of a record that says a lot and reaches to the file's end.
  Draft one = Begin(1);
  Add(&one, 1, "first");
  const size_t size = 256 << 10;
  std::string fake(24, '\0');
  StoreFixed32(fake.data() + 4, size / 2);
  StoreFixed64(fake.data() + 8, uint64_t{1} << 56 | 9);
  StoreFixed64(fake.data() + 16, PackPosition({1, 4000}));
  while (one.bytes.size() < size) one.bytes += fake;
  Write(one);
  const ReadBack back = ReadLogIn(files_);
  EXPECT_TRUE(absl::IsDataLoss(back.status));
  EXPECT_THAT(MessageOf(back.status), HasSubstr("more false records than a torn tail can hold"));
}

TEST_F(LogReaderTest, HostileChainsEnd) {
  Write(Begin(1, {1, 88}));  // follows itself
  EXPECT_TRUE(absl::IsDataLoss(ReadLogIn(files_).status));
  Write(Begin(1, {2, 88}));
  Write(Begin(2, {1, 88}));
  EXPECT_TRUE(absl::IsDataLoss(ReadLogIn(files_).status));
  Draft two = Begin(2, {1, UINT64_MAX});
  Write(two);
  Draft one = Begin(1);
  Add(&one, 1, "first");
  Write(one);
  EXPECT_THAT(ReadLogIn(files_).Sequences(), ElementsAre(1));
}

TEST_F(LogReaderTest, AnyBytesGiveAnAnswer) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes(random() % 3000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() : 0);
    // Half of them behind a good header, a third of those behind a good record.
    if (random() % 2 == 0) {
      Draft draft = Begin(1);
      if (random() % 3 == 0) Add(&draft, 1, "good");
      bytes = draft.bytes + bytes;
    }
    ReplaceFile(files_, SegmentPath("db", 1), bytes);
    const ReadBack back = ReadLogIn(files_);
    for (const auto& record : back.records) EXPECT_EQ(record.second, "good");
  }
}

// --- What the registry says ---------------------------------------------------------------------

TEST_F(LogReaderTest, LogThatEndsBeforeItsReachIsDataLoss) {
  Draft first = Begin(1);
  Add(&first, 1, "one");
  const uint64_t second = Add(&first, 2, "two");
  const LogPosition end{1, first.bytes.size()};
  Write(first);
  EXPECT_OK(ReadLogIn(files_, "db", 0, end).status);
  for (size_t size = 0; size < first.bytes.size(); ++size) {
    ReplaceFile(files_, SegmentPath("db", 1), std::string_view(first.bytes).substr(0, size));
    const ReadBack back = ReadLogIn(files_, "db", 0, end);
    // The padding of the last record may go.
    if (back.status.ok()) {
      EXPECT_THAT(back.Sequences(), ElementsAre(1, 2)) << size;
      continue;
    }
    EXPECT_TRUE(absl::IsDataLoss(back.status)) << back.status;
    EXPECT_THAT(MessageOf(back.status), HasSubstr("db/000001.log: offset "));
    EXPECT_THAT(MessageOf(back.status), ::testing::Not(HasSubstr("truncate")));
    // It is no loss if nothing of the segment is needed.
    EXPECT_OK(ReadLogIn(files_, "db", 2, end).status);
    if (size > second + kRecordHeaderSize + 3) FAIL() << "only padding was cut: " << size;
  }
}

TEST_F(LogReaderTest, SegmentThatWasMadeAndIsMissingIsDataLoss) {
  Draft first = Begin(1);
  Add(&first, 1, "one");
  Write(first);
  EXPECT_OK(ReadLogIn(files_, "db", 0, {1, 0}).status);
  const ReadBack back = ReadLogIn(files_, "db", 0, {2, 0});
  EXPECT_TRUE(absl::IsDataLoss(back.status)) << back.status;
  EXPECT_THAT(MessageOf(back.status), HasSubstr("db/000002.log"));
  // It need not have been used: a power cut leaves it empty.
  ReplaceFile(files_, SegmentPath("db", 2), "");
  EXPECT_THAT(ReadLogIn(files_, "db", 0, {2, 0}).Sequences(), ElementsAre(1));
}

TEST_F(LogReaderTest, EndRecordBringsItsPayload) {
  Draft first = Begin(1);
  Add(&first, 1, "one");
  Add(&first, 0, "sixteen bytes...", {}, RecordKind::kEnd);
  Write(first);
  EXPECT_EQ(ReadLogIn(files_).replay.end_payload, "sixteen bytes...");
}

}  // namespace
}  // namespace cambium::wal
