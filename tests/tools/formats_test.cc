#include "tools/cambium/formats.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/cambium/lmdb_map.h"

namespace cambium::tool {
namespace {

using Records = std::vector<std::pair<std::string, std::string>>;

const Format kFormats[] = {Format::kTsv, Format::kJsonl, Format::kBdb, Format::kBdbPrint,
                           Format::kMdb};
constexpr uint64_t kMapBytes = 1 << 20;

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

Outcome Read(Format format, const std::string& text,
             const std::optional<std::string>& database = std::nullopt) {
  char path[] = "/tmp/cambium_formats_XXXXXX";
  const int descriptor = ::mkstemp(path);
  EXPECT_EQ(::write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(descriptor);
  absl::StatusOr<std::unique_ptr<LineReader>> input = LineReader::Open(path);
  EXPECT_TRUE(input.ok());
  // As load does.
  EXPECT_TRUE((*input)->Peek().ok());
  const std::unique_ptr<RecordReader> reader = NewRecordReader(format, input->get(), database);
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
  const std::unique_ptr<RecordWriter> writer = NewRecordWriter(format, kMapBytes);
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
  EXPECT_EQ(GuessFormat(Write(Format::kMdb, {{"a", "b"}})), Format::kBdb);
  EXPECT_EQ(GuessFormat("  \t{\"k\":\"a\"}"), Format::kJsonl);
}

// Whatever is cut off, what was read before is right, and the end shows in the status, unless whole
// lines are missing of a format that has no end mark.
TEST(Formats, TellThatTheInputWasCutOff) {
  for (const Format format : kFormats) {
    const std::string text = Write(format, Samples());
    for (size_t size = 0; size < text.size(); ++size) {
      const Outcome outcome = Read(format, text.substr(0, size));
      const bool has_end = format != Format::kTsv && format != Format::kJsonl;
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
      {Format::kTsv, "a\tb\na\tb\r\n"},
      {Format::kJsonl, "{\"k\":\"a\",\"v\":\"b\"}\n{\"k\":\"a\"}\n"},
      {Format::kJsonl, "{\"k\":\"a\",\"v\":\"b\"}\n{\"k\":\"a\",\"v64\":\"!\"}\n"},
      {Format::kJsonl, "{\"k\":\"a\",\"v\":\"b\"}\n[]\n"},
      {Format::kJsonl, "{\"k\":\"a\",\"v\":\"b\"}\n{\"k\":\"a\",\"k\":\"b\",\"v\":\"c\"}\n"},
  };
  for (const auto& [format, text] : damaged) {
    const Outcome outcome = Read(format, text);
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDataLoss) << text;
    EXPECT_NE(outcome.status.message().find(":2: "), absl::string_view::npos) << outcome.status;
    EXPECT_EQ(outcome.records.size(), 1u);
  }
}

// A section with these header lines.
std::string Section(const std::string& header, const std::string& data = " 61\n 62\n") {
  return "VERSION=3\n" + header + "HEADER=END\n" + data + "DATA=END\n";
}

TEST(Bdb, AcceptsHeaderWordsThatOnlyTuneTheOtherEngine) {
  for (const char* header :
       {"format=bytevalue\ntype=btree\nmapsize=1048576\nmapaddr=0x7f00\nmaxreaders=126\n",
        "format=bytevalue\ndatabase=x\ntype=btree\ndb_pagesize=4096\nchksum=1\nrecnum=1\n",
        "type=hash\nh_ffactor=40\nh_nelem=7\ndb_lorder=1234\ncompressed=1\nkeys=1\n",
        "type=btree\nbt_minkey=3\nduplicates=0\nintegerkey=0\n", ""}) {
    const Outcome outcome = Read(Format::kBdb, Section(header));
    EXPECT_TRUE(outcome.status.ok()) << header << outcome.status;
    EXPECT_EQ(outcome.records, (Records{{"a", "b"}})) << header;
  }
}

TEST(Bdb, RefusesHeaderWordsThatADatabaseCannotRepresentAndNamesSectionAndLine) {
  for (const char* word :
       {"duplicates=1", "dupsort=1", "dupfixed=1", "integerdup=1", "reversedup=1", "integerkey=1",
        "reversekey=1", "keys=0", "type=recno", "type=queue", "type=heap", "type=trie",
        "format=base64", "nparts=3", "future=1"}) {
    const Outcome outcome =
        Read(Format::kBdb, Section("mapsize=1\n" + std::string(word) + "\ndatabase=people\n"));
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnimplemented) << word;
    const std::string message(outcome.status.message());
    EXPECT_NE(message.find(":3: section 'people': found " + std::string(word)), std::string::npos)
        << message;
    EXPECT_TRUE(outcome.records.empty());
  }
}

TEST(Bdb, RefusesASecondSectionUnlessOneIsPicked) {
  const std::string text = Section("database=a\n", " 61\n 31\n") +
                           Section("database=b\nduplicates=1\n", " 62\n 32\n 62\n 33\n") +
                           Section("database=caf\\c3\\a9\n", " 63\n 34\n");
  const Outcome all = Read(Format::kBdb, text);
  EXPECT_EQ(all.status.code(), absl::StatusCode::kUnimplemented) << all.status;
  EXPECT_NE(all.status.message().find(":7: section 'b': "), absl::string_view::npos) << all.status;
  EXPECT_EQ(all.records, (Records{{"a", "1"}}));
  EXPECT_EQ(Read(Format::kBdb, text, "a").records, (Records{{"a", "1"}}));
  EXPECT_TRUE(Read(Format::kBdb, text, "a").status.ok());
  // BerkeleyDB escapes the names.
  EXPECT_EQ(Read(Format::kBdb, text, "caf\xc3\xa9").records, (Records{{"c", "4"}}));
  EXPECT_EQ(Read(Format::kBdb, text, "caf\\c3\\a9").records, (Records{{"c", "4"}}));
  EXPECT_EQ(Read(Format::kBdb, text, "b").status.code(), absl::StatusCode::kUnimplemented);
  const Outcome none = Read(Format::kBdb, text, "d");
  EXPECT_EQ(none.status.code(), absl::StatusCode::kNotFound) << none.status;
  EXPECT_NE(none.status.message().find("'a', 'b'"), absl::string_view::npos) << none.status;
  const Outcome twice = Read(Format::kBdb, Section("database=a\n") + Section("database=a\n"), "a");
  EXPECT_EQ(twice.status.code(), absl::StatusCode::kUnimplemented) << twice.status;
}

TEST(Bdb, ASectionThatIsNotPickedMustBeWholeToo) {
  const std::string text = Section("database=a\n") + Section("database=b\n");
  for (size_t size = 1; size < text.size(); ++size) {
    EXPECT_FALSE(Read(Format::kBdb, text.substr(0, size), "b").status.ok()) << size;
  }
  EXPECT_TRUE(Read(Format::kBdb, text, "b").status.ok());
}

TEST(Bdb, RefusesBackslashesInAPrintDumpOfLmdb) {
  const std::string header = "format=print\ntype=btree\nmapsize=1048576\n";
  EXPECT_EQ(Read(Format::kBdb, Section(header, " a\n b\n")).records, (Records{{"a", "b"}}));
  // LMDB 0.9 writes this for a backslash, 0 and a, as well as for a newline.
  const Outcome outcome = Read(Format::kBdb, Section(header, " a\n \\0a\n"));
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnimplemented) << outcome.status;
  EXPECT_NE(outcome.status.message().find(":7: "), absl::string_view::npos) << outcome.status;
  EXPECT_EQ(Read(Format::kBdb, Section("format=print\n", " a\n \\0a\n")).records,
            (Records{{"a", "\n"}}));
}

TEST(Bdb, NamesTheLineOfDamage) {
  const std::vector<std::pair<int, std::string>> damaged = {
      {0, ""},
      {1, "\n"},
      {2, "VERSION=3\nnonsense\n"},
      {3, "VERSION=3\ntype=btree\ntype=btree\n"},
      {2, "VERSION=3\nduplicates=yes\n"},
      {3, "VERSION=3\nHEADER=END\n61\n 62\nDATA=END\n"},
      {3, Section("", " 6\n 62\n")},
      {4, Section("", " 61\n 6g\n")},
      {4, Section("", " 61\n")},
      {5, Section("", " 61\n 62\n 61\n 63\n")},
      {4, Section("format=print\n", " a\rb\n 62\n")},
      {5, Section("format=print\n", " a\n \\6\n")},
      {6, Section("") + "trailing\n"},
      {6, Section("") + "\n"},
      {6, Section("") + Section("").substr(0, 10)},
      {10, Section("") + Section("database=x\n").substr(0, 40)},
  };
  for (const auto& [line, text] : damaged) {
    const absl::Status status = Read(Format::kBdb, text, "").status;
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << text;
    const std::string where = ":" + std::to_string(line) + ": ";
    EXPECT_NE(status.message().find(where), absl::string_view::npos) << text << status;
  }
  EXPECT_EQ(Read(Format::kBdb, "VERSION=2\n").status.code(), absl::StatusCode::kUnimplemented);
}

TEST(LmdbMap, IsGenerousAndRefusesWhatLmdbCannotHold) {
  LmdbMap map;
  EXPECT_GE(map.Bytes(), uint64_t{1} << 20);
  EXPECT_TRUE(map.Add(std::string(511, 'k'), "").ok());
  for (int i = 0; i < 100000; ++i) {
    EXPECT_TRUE(map.Add("0123456789", std::string(1000, 'v')).ok());
  }
  EXPECT_GE(map.Bytes(), uint64_t{300} << 20);
  EXPECT_EQ(map.Bytes() % (uint64_t{1} << 20), 0u);
  EXPECT_EQ(map.Add("", "v").code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(map.Add(std::string(512, 'k'), "v").code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace cambium::tool
