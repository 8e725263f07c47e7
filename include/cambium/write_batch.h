// WriteBatch: an ordered list of writes applied as one.
#ifndef CAMBIUM_WRITE_BATCH_H_
#define CAMBIUM_WRITE_BATCH_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/column_family.h"
#include "cambium/export.h"

namespace cambium {

// A later operation on a key takes effect after an earlier one. A batch holds the bytes that the
// log stores (docs/format/log.md), so that a write encodes nothing twice. Thread-compatible.
//
// If a key exceeds 64 KiB or a value 1 GiB, DB::Write returns InvalidArgument and writes nothing.
class CAMBIUM_EXPORT WriteBatch {
 public:
  WriteBatch();

  // Without a family: the default one. A family of another database than the one that writes the
  // batch is InvalidArgument, and a dropped one FailedPrecondition: then nothing is written.
  //
  // `ttl` is as in WriteOptions, and counts from DB::Write. If one is negative, DB::Write returns
  // InvalidArgument and writes nothing.
  void Put(std::string_view key, std::string_view value,
           std::optional<std::chrono::milliseconds> ttl = {});
  void Put(const ColumnFamily& family, std::string_view key, std::string_view value,
           std::optional<std::chrono::milliseconds> ttl = {});
  void Delete(std::string_view key);
  void Delete(const ColumnFamily& family, std::string_view key);
  // See DB::Merge. If the database has no merge operator, DB::Write returns FailedPrecondition and
  // writes nothing.
  void Merge(std::string_view key, std::string_view operand);
  void Merge(const ColumnFamily& family, std::string_view key, std::string_view operand);
  // See DB::DeleteRange and DB::DeleteFrom. It deletes what earlier operations of the batch wrote,
  // too.
  void DeleteRange(std::string_view begin, std::string_view end);
  void DeleteRange(const ColumnFamily& family, std::string_view begin, std::string_view end);
  void DeleteFrom(std::string_view begin);
  void DeleteFrom(const ColumnFamily& family, std::string_view begin);
  void Clear();

  // A state of a batch. Plain data.
  struct Savepoint;
  // RollbackTo() removes the operations that were added after MakeSavepoint(); the batch must not
  // have been cleared, or rolled back further, in between.
  Savepoint MakeSavepoint() const;
  void RollbackTo(Savepoint savepoint);

  // Returns the number of operations.
  size_t Count() const;
  // Returns the number of bytes that the batch takes in the log.
  size_t ByteSize() const { return rep_.size(); }
  // Appends the operations of `other`.
  void Append(const WriteBatch& other);

  // Returns the encoded batch: as the log stores it, but with TTLs, in milliseconds, in the place
  // of expiries. Valid until the batch changes.
  std::string_view Encoded() const { return rep_; }
  // Returns true if every key and value is within the limits.
  bool WithinLimits() const { return within_limits_; }
  // Returns true if a put states a TTL, or a negative one.
  bool HasTtls() const { return has_ttls_; }
  bool HasNegativeTtl() const { return has_negative_ttl_; }

  // The operations of one family. Plain data.
  struct Part {
    uint32_t family = 0;
    uint32_t count = 0;
    size_t bytes = 0;  // of their encoding
    bool has_merges = false;
    uint32_t range_deletes = 0;  // operations that delete a range
  };
  struct Savepoint {
    size_t bytes = 0;
    size_t count = 0;
    std::vector<Part> parts;
    uint64_t database = 0;
    bool within_limits = true;
    bool has_ttls = false;
    bool has_negative_ttl = false;
  };
  // Returns one part per family, sorted by its id. Valid until the batch changes.
  std::span<const Part> Parts() const { return parts_; }
  // Returns the open database of the families' handles (ColumnFamily::database); 0 if there are
  // none, UINT64_MAX if they differ.
  uint64_t Database() const { return database_; }

 private:
  void AddPut(const ColumnFamily* family, std::string_view key, std::string_view value,
              std::optional<std::chrono::milliseconds> ttl);
  // Appends an operation. `family` is null for the default one. `expiry` is for puts with one.
  void Add(uint8_t tag, const ColumnFamily* family, std::string_view key, std::string_view value,
           uint64_t expiry = 0);
  // Appends a range delete; without `end`, to the end of the family.
  void AddRange(const ColumnFamily* family, std::string_view begin,
                std::optional<std::string_view> end);
  // Counts operations of one family.
  void AddPart(const Part& added);
  void NoteDatabase(uint64_t database);

  std::string rep_;
  std::vector<Part> parts_;
  uint64_t database_ = 0;
  bool within_limits_ = true;
  bool has_ttls_ = false;
  bool has_negative_ttl_ = false;
};

}  // namespace cambium

#endif  // CAMBIUM_WRITE_BATCH_H_
