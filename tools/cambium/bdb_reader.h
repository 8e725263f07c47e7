// Reads the text of BerkeleyDB's db_dump and LMDB's mdb_dump (the table is in formats.h).
//
// An input has one section per database. A section with properties that a Cambium database cannot
// represent is rejected, because loading it would lose data: several values per key, record numbers
// instead of keys, or another order of the keys. An unknown header word is rejected, too. Words
// that only tune the other engine are skipped.
#ifndef CAMBIUM_TOOLS_CAMBIUM_BDB_READER_H_
#define CAMBIUM_TOOLS_CAMBIUM_BDB_READER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/cambium/formats.h"

namespace cambium::tool {

// Returns the bytes that a line of format=print represents; nullopt if it contains a control
// character or a backslash that begins neither \\ nor \NN.
std::optional<std::string> DecodePrint(std::string_view text);

// Returns Unimplemented for a rejected section, DataLoss for a damaged one, and NotFound at the end
// of the input if `database` was not in it. Confined to one thread.
class BdbReader final : public RecordReader {
 public:
  // Reads the section of `database`; without one, the only section of the input.
  BdbReader(LineReader* input, std::optional<std::string> database)
      : input_(input), database_(std::move(database)) {}

  absl::StatusOr<bool> Next(Record* record) override;

 private:
  // A parsed header. Plain data.
  struct Section {
    uint64_t line = 0;  // of VERSION=3
    std::optional<std::string> database;
    bool is_print = false;
    bool is_lmdb = false;                      // mdb_dump wrote it: it has a mapsize
    std::set<std::string, std::less<>> words;  // in the header so far
    std::string refusal;                       // the first reason to reject it; empty: none
    uint64_t refusal_line = 0;
    std::optional<std::string> key;  // the last key
    uint64_t key_line = 0;
  };

  // Reads a header, or returns false at the end of the input.
  absl::StatusOr<bool> ReadHeader();
  absl::Status ReadHeaderLine(std::string_view line);
  // Applies a word of the header; returns the reason if a section with it is rejected, or an empty
  // string.
  absl::StatusOr<std::string> Apply(std::string_view word, std::string_view value);
  // Returns true if the section that begins here is to be loaded, or the error if it is rejected.
  absl::StatusOr<bool> Choose();
  absl::Status SkipSection();
  // Reads a record, or returns false at DATA=END.
  absl::StatusOr<bool> ReadRecord(Record* record);
  absl::StatusOr<std::string> DecodeLine(std::string_view line) const;

  absl::Status DamageError(std::string_view what) const;
  absl::Status Early(std::string_view expected) const;
  // Returns "FILE:12: section 'people': " and the property that cannot be represented.
  absl::Status Refused(uint64_t line, std::string_view what) const;
  std::string NameOfSection() const;

  LineReader* const input_;
  const std::optional<std::string> database_;
  bool in_section_ = false;
  bool has_loaded_ = false;         // a section was chosen
  std::vector<std::string> found_;  // the names of the first sections, for a message
  Section section_;
};

}  // namespace cambium::tool

#endif  // CAMBIUM_TOOLS_CAMBIUM_BDB_READER_H_
