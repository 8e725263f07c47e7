#include "tools/cambium/formats.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace cambium::tool {
namespace {

using Records = std::vector<std::pair<std::string, std::string>>;

const Format kFormats[] = {Format::kTsv, Format::kJsonl, Format::kBdb, Format::kBdbPrint};

Records Samples() {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  return {{"", ""},  {"a", "1"}, {"b\tc", "d\ne"}, {"\\", "\\\\x"}, {"caf\xc3\xa9", "\xff"},
          {all, all}};
}

// What reading `text` gives: the records, and how the reading ended.
struct Outcome {
  Records records;
  absl::Status status;
};

Outcome Read(Format format, const std::string& text) {
  char path[] = "/tmp/cambium_formats_XXXXXX";
  const int descriptor = ::mkstemp(path);
  EXPECT_EQ(::write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(descriptor);
  absl::StatusOr<std::unique_ptr<LineReader>> input = LineReader::Open(path);
  EXPECT_TRUE(input.ok());
  // As load does.
  EXPECT_TRUE((*input)->Peek().ok());
  const std::unique_ptr<RecordReader> reader = NewRecordReader(format, input->get());
  Outcome outcome;
  Record record;
  for (;;) {
    const absl::StatusOr<bool> more = reader->Next(&record);
    outcome.status = more.status();
    if (!more.ok() || !*more) break;
    outcome.records.emplace_back(record.key, record.value);
  }
  std::remove(path);
  return outcome;
}

std::string Write(Format format, const Records& records) {
  const std::unique_ptr<RecordWriter> writer = NewRecordWriter(format);
  std::string text = writer->Begin();
  for (const auto& [key, value] : records) {
    text += writer->Line(key, value, Parts::kKeysAndValues);
  }
  return text + writer->End();
}

TEST(Formats, GiveBackEveryByteOfKeysAndValues) {
  for (const Format format : kFormats) {
    const Outcome outcome = Read(format, Write(format, Samples()));
    EXPECT_TRUE(outcome.status.ok()) << NameOf(format) << ": " << outcome.status;
    EXPECT_EQ(outcome.records, Samples()) << NameOf(format);
  }
}

TEST(Formats, AreGuessedFromWhatTheyWrite) {
  EXPECT_EQ(GuessFormat(Write(Format::kTsv, {{"a", "b"}})), Format::kTsv);
  EXPECT_EQ(GuessFormat(Write(Format::kJsonl, {{"a", "b"}})), Format::kJsonl);
  EXPECT_EQ(GuessFormat(Write(Format::kBdbPrint, {{"a", "b"}})), Format::kBdb);
}

// Whatever is cut off, what was read before is right, and the end shows in the status, unless whole
// lines are missing of a format that has no end mark.
TEST(Formats, TellThatTheInputWasCutOff) {
  for (const Format format : kFormats) {
    const std::string text = Write(format, Samples());
    for (size_t size = 0; size < text.size(); ++size) {
      const Outcome outcome = Read(format, text.substr(0, size));
      const bool has_end = format == Format::kBdb || format == Format::kBdbPrint;
      const bool whole_lines = size == 0 || text[size - 1] == '\n';
      EXPECT_EQ(outcome.status.ok(), whole_lines && !has_end) << NameOf(format) << " at " << size;
      ASSERT_LE(outcome.records.size(), Samples().size());
      for (size_t i = 0; i < outcome.records.size(); ++i) {
        EXPECT_EQ(outcome.records[i], Samples()[i]);
      }
    }
  }
}

TEST(Formats, NameTheLineOfDamage) {
  const std::vector<std::pair<Format, std::string>> damaged = {
      {Format::kTsv, "a\tb\nno tab\n"},
      {Format::kTsv, "a\tb\na\tb\tc\n"},
      {Format::kTsv, "a\tb\na\\q\tb\n"},
      {Format::kJsonl, "{\"k\":\"a\",\"v\":\"b\"}\n{\"k\":\"a\"}\n"},
      {Format::kJsonl, "{\"k\":\"a\",\"v\":\"b\"}\n{\"k\":\"a\",\"v64\":\"!\"}\n"},
      {Format::kJsonl, "{\"k\":\"a\",\"v\":\"b\"}\n[]\n"},
  };
  for (const auto& [format, text] : damaged) {
    const Outcome outcome = Read(format, text);
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDataLoss) << text;
    EXPECT_NE(outcome.status.message().find(":2: "), absl::string_view::npos) << outcome.status;
    EXPECT_EQ(outcome.records.size(), 1u);
  }
}

TEST(Bdb, AcceptsHeaderWordsOfOthersAndSeveralSections) {
  const std::string section =
      "VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=1048576\nmaxreaders=126\n"
      "db_pagesize=4096\nHEADER=END\n 61\n 62\nDATA=END\n";
  const Outcome outcome = Read(Format::kBdb, section + section);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.records, (Records{{"a", "b"}, {"a", "b"}}));
}

TEST(Bdb, RefusesWhatIsNoDump) {
  for (const char* bad :
       {"VERSION=2\n", "VERSION=3\nnonsense\n", "VERSION=3\nHEADER=END\n61\n 62\nDATA=END\n",
        "VERSION=3\nHEADER=END\n 6\n 62\nDATA=END\n", "VERSION=3\nHEADER=END\n 61\nDATA=END\n",
        "VERSION=3\nkeys=0\nHEADER=END\nDATA=END\n", ""}) {
    EXPECT_EQ(Read(Format::kBdb, bad).status.code(), absl::StatusCode::kDataLoss) << bad;
  }
}

}  // namespace
}  // namespace cambium::tool
