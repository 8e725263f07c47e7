#include "util/compression.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <string>
#include <thread>
#include <vector>

#include "util/checksum.h"

namespace cambium {
namespace {

// Bytes that do not shrink.
std::string Noise(size_t size) {
  std::string bytes;
  for (uint64_t i = 0; bytes.size() < size; ++i) {
    const uint64_t word = Checksum64("noise", 1, i);
    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  bytes.resize(size);
  return bytes;
}

std::string Text(size_t size) {
  std::string bytes;
  for (int i = 0; bytes.size() < size; ++i) bytes += "record number " + std::to_string(i) + ", ";
  bytes.resize(size);
  return bytes;
}

TEST(Compression, RoundTripsAtEveryLevel) {
  const std::string raw = Text(8192);
  for (const int level : {-5, -1, 0, 1, 3, 19}) {
    std::string packed;
    ASSERT_TRUE(CompressZstd(raw, level, &packed)) << level;
    EXPECT_LE(packed.size(), raw.size() - raw.size() / 8);
    std::string back(raw.size(), '\0');
    ASSERT_TRUE(UncompressZstd(packed, back.data(), back.size()).ok());
    EXPECT_EQ(back, raw);
  }
}

TEST(Compression, RefusesWhatSavesLessThanAnEighth) {
  std::string packed;
  EXPECT_FALSE(CompressZstd(Noise(8192), 1, &packed));
  EXPECT_FALSE(CompressZstd("", 1, &packed));
  EXPECT_FALSE(CompressZstd("short", 1, &packed));
  // Nine tenths noise, one tenth zeros: a saving, but too small a one.
  EXPECT_FALSE(CompressZstd(Noise(7372) + std::string(819, '\0'), 1, &packed));
  EXPECT_TRUE(CompressZstd(Noise(4096) + std::string(4096, '\0'), 1, &packed));
}

TEST(Compression, WrongRawSizeIsDataLoss) {
  const std::string raw = Text(1000);
  std::string packed;
  ASSERT_TRUE(CompressZstd(raw, 1, &packed));
  std::string back(2000, '\0');
  for (const size_t size : {size_t{0}, size_t{1}, size_t{999}, size_t{1001}, size_t{2000}}) {
    EXPECT_EQ(UncompressZstd(packed, back.data(), size).code(), absl::StatusCode::kDataLoss);
  }
}

TEST(Compression, HugeSizeInTheFrameIsNotBelieved) {
  // A frame that declares 1 MiB of zeros in a few bytes.
  const std::string zeros(size_t{1} << 20, '\0');
  std::string frame(ZSTD_compressBound(zeros.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), zeros.data(), zeros.size(), 1));
  std::string back(100, 'x');
  EXPECT_EQ(UncompressZstd(frame, back.data(), 99).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(back.back(), 'x');
}

TEST(Compression, DamageIsAnErrorOrOtherBytesButNeverOutOfBounds) {
  const std::string raw = Text(600);
  std::string packed;
  ASSERT_TRUE(CompressZstd(raw, 1, &packed));
  for (size_t cut = 0; cut < packed.size(); ++cut) {
    std::string back(raw.size(), '\0');
    EXPECT_FALSE(UncompressZstd(packed.substr(0, cut), back.data(), back.size()).ok());
  }
  for (size_t bit = 0; bit < packed.size() * 8; ++bit) {
    std::string damaged = packed;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    std::string back(raw.size(), '\0');
    const absl::Status status = UncompressZstd(damaged, back.data(), back.size());
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kDataLoss) << status;
  }
  EXPECT_FALSE(UncompressZstd(Noise(100), packed.data(), 10).ok());
}

TEST(Compression, ThreadsHaveContextsOfTheirOwn) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 50; ++i) {
        const std::string raw = Text(1000 + static_cast<size_t>(t * 100 + i));
        std::string packed, back(raw.size(), '\0');
        ASSERT_TRUE(CompressZstd(raw, 1, &packed));
        ASSERT_TRUE(UncompressZstd(packed, back.data(), back.size()).ok());
        EXPECT_EQ(back, raw);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cambium
