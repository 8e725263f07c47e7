// A log in a directory "db" of any file system, which tests write record by record and read back.
#ifndef CAMBIUM_TESTS_WAL_WAL_TEST_UTIL_H_
#define CAMBIUM_TESTS_WAL_WAL_TEST_UTIL_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cambium/file_system.h"
#include "env/testing/inline_executor.h"
#include "util/absl_view.h"
#include "wal/log_reader.h"
#include "wal/log_set.h"

namespace cambium::wal {

#define ASSERT_OK(expression)                    \
  do {                                           \
    const absl::Status status_of = (expression); \
    ASSERT_TRUE(status_of.ok()) << status_of;    \
  } while (false)
#define EXPECT_OK(expression)                    \
  do {                                           \
    const absl::Status status_of = (expression); \
    EXPECT_TRUE(status_of.ok()) << status_of;    \
  } while (false)

inline constexpr Uuid kTestUuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

inline std::string MessageOf(const absl::Status& status) {
  return std::string(FromAbsl(status.message()));
}

inline std::string SegmentPath(std::string_view directory, uint64_t number) {
  return absl::StrCat(ToAbsl(directory), "/", absl::Dec(number, absl::kZeroPad6), ".log");
}

// Returns the numbers of the segment files in a directory, ascending.
inline std::vector<uint64_t> ListSegments(FileSystem& files, const std::string& directory) {
  std::vector<uint64_t> numbers;
  auto names = files.ListDirectory(directory);
  if (!names.ok()) return numbers;
  for (const std::string& name : *names) {
    uint64_t number = 0;
    const char* const end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data(), end, number);
    if (error == std::errc() && std::string_view(stop) == ".log") numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// The directory of a log, and its dependencies. Thread-compatible.
struct LogPlace {
  explicit LogPlace(FileSystem* file_system, Executor* task_executor,
                    std::string log_directory = "db")
      : files(file_system), executor(task_executor), directory(std::move(log_directory)) {}

  LogSetOptions Options(uint64_t segment_size) {
    LogSetOptions options;
    options.file_system = files;
    options.executor = executor;
    options.directory = directory;
    options.segment_path = [where = directory](uint64_t number) {
      return SegmentPath(where, number);
    };
    options.next_segment = [this] { return next_number.fetch_add(1); };
    options.uuid = kTestUuid;
    options.segment_size = segment_size;
    return options;
  }

  FileSystem* files;
  Executor* executor;
  std::string directory;
  std::atomic<uint64_t> next_number{1};
};

// Reserves and fills one record; for one writer at a time. Sets *end to the record's end.
inline absl::Status AppendRecord(LogSet& log, uint64_t sequence, std::string_view payload,
                                 Durability durability = Durability::kProcess,
                                 LogPosition* end = nullptr) {
  LogReservation reservation;
  while (!log.TryReserve(payload.size(), &reservation)) {
    absl::Status status = log.MakeRoom(payload.size());
    if (!status.ok()) return status;
  }
  // Two pieces, to test the boundary between them.
  const std::string_view pieces[] = {
      payload.substr(0, payload.size() / 3), {}, payload.substr(payload.size() / 3)};
  absl::Status status = log.Fill(reservation, sequence, pieces, durability);
  if (!status.ok()) return status;
  if (end != nullptr) *end = reservation.end();
  if (durability == Durability::kMachine) return log.SyncTo(reservation.end());
  return absl::OkStatus();
}

struct ReadBack {
  std::vector<std::pair<uint64_t, std::string>> records;
  LogReplay replay;
  absl::Status status;

  std::vector<uint64_t> Sequences() const {
    std::vector<uint64_t> sequences;
    for (const auto& record : records) sequences.push_back(record.first);
    return sequences;
  }
};

inline ReadBack ReadLogIn(FileSystem& files, const std::string& directory = "db",
                          uint64_t oldest_needed = 0, LogPosition reach = {}) {
  LogReadOptions options;
  options.file_system = &files;
  options.segment_path = [directory](uint64_t number) { return SegmentPath(directory, number); };
  options.uuid = kTestUuid;
  options.segments = ListSegments(files, directory);
  options.oldest_needed = oldest_needed;
  options.reach = reach;
  ReadBack result;
  auto replay = ReadLog(options, [&](uint64_t sequence, std::string_view payload) {
    result.records.emplace_back(sequence, std::string(payload));
    return absl::OkStatus();
  });
  result.status = replay.status();
  if (replay.ok()) result.replay = *std::move(replay);
  return result;
}

// Returns the payload of record `sequence`: various sizes, including some that no small segment can
// hold.
inline std::string PayloadOf(uint64_t sequence, size_t large = 20000) {
  const size_t size = sequence % 17 == 3 ? large : (sequence * 7919) % 300;
  std::string payload = absl::StrCat(sequence, ":");
  while (payload.size() < size) payload.push_back(static_cast<char>('a' + payload.size() % 26));
  return payload;
}

// Read a whole file, and replace it with other bytes.
inline std::string ReadWhole(FileSystem& files, const std::string& path) {
  auto file = files.OpenRandomAccess(path);
  if (!file.ok()) return {};
  auto size = (*file)->Size();
  if (!size.ok()) return {};
  std::string bytes(*size, '\0');
  ReadRequest request{0, bytes.data(), bytes.size(), 0, absl::OkStatus()};
  (*file)->Read({&request, 1});
  bytes.resize(request.bytes_read);
  return bytes;
}
inline void ReplaceFile(FileSystem& files, const std::string& path, std::string_view bytes) {
  (void)files.Remove(path);
  auto file = files.CreateWritable(path);
  ASSERT_OK(file.status());
  ASSERT_OK((*file)->Append(bytes));
  ASSERT_OK((*file)->Close());
}

}  // namespace cambium::wal

#endif  // CAMBIUM_TESTS_WAL_WAL_TEST_UTIL_H_
