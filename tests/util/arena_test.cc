// Arena and ChunkPool: alignment, large pieces, recycling, accounting, many threads.
#include "util/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "util/chunk_pool.h"
#include "util/random.h"

namespace cambium {
namespace {

TEST(ChunkPool, RoundsChunksUpToAPowerOfTwo) {
  EXPECT_EQ(ChunkPool(1, 0).chunk_bytes(), ChunkPool::kMinChunkBytes);
  EXPECT_EQ(ChunkPool(5000, 0).chunk_bytes(), 8192U);
  EXPECT_EQ(ChunkPool(65536, 0).chunk_bytes(), 65536U);
}

TEST(ChunkPool, GivesOutWhatItKept) {
  ChunkPool pool(8192, 8192);
  char* const first = pool.Allocate();
  EXPECT_EQ(pool.bytes_in_use(), 8192U);
  EXPECT_EQ(pool.bytes_retained(), 0U);
  pool.Release(first);
  EXPECT_EQ(pool.bytes_in_use(), 0U);
  EXPECT_EQ(pool.bytes_retained(), 8192U);
  EXPECT_EQ(pool.Allocate(), first);
  EXPECT_EQ(pool.bytes_retained(), 0U);
  pool.Release(first);
}

TEST(ChunkPool, KeepsNoMoreThanItMay) {
  ChunkPool pool(8192, 2 * 8192 + 1);
  std::vector<char*> chunks;
  for (int i = 0; i < 5; ++i) chunks.push_back(pool.Allocate());
  for (char* const chunk : chunks) pool.Release(chunk);
  EXPECT_EQ(pool.bytes_in_use(), 0U);
  EXPECT_EQ(pool.bytes_retained(), 2U * 8192U);
}

TEST(ChunkPool, AlignsHugeChunksToHugePages) {
  ChunkPool pool(ChunkPool::kHugePageBytes, ChunkPool::kHugePageBytes);
  char* const chunk = pool.Allocate();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(chunk) % ChunkPool::kHugePageBytes, 0U);
  std::memset(chunk, 1, pool.chunk_bytes());
  pool.Release(chunk);
}

TEST(ChunkPool, CountsLargePiecesAndKeepsNone) {
  ChunkPool pool(8192, 1 << 20);
  char* const piece = pool.AllocateLarge(100'000);
  std::memset(piece, 1, 100'000);
  EXPECT_EQ(pool.bytes_in_use(), 100'000U);
  pool.ReleaseLarge(piece, 100'000);
  EXPECT_EQ(pool.bytes_in_use(), 0U);
  EXPECT_EQ(pool.bytes_retained(), 0U);
}

TEST(Arena, TakesNothingBeforeTheFirstAllocation) {
  ChunkPool pool(8192, 0);
  Arena arena(&pool);
  EXPECT_EQ(arena.MemoryUsage(), 0U);
  EXPECT_EQ(pool.bytes_in_use(), 0U);
}

TEST(Arena, PiecesAreAlignedAndDoNotOverlap) {
  ChunkPool pool(8192, 0);
  Random random(1);
  std::vector<std::pair<char*, size_t>> pieces;
  {
    Arena arena(&pool);
    for (int i = 0; i < 3000; ++i) {
      const bool line = random.Uniform(4) == 0;
      const size_t size = random.Uniform(50) == 0 ? random.Uniform(20'000) : random.Uniform(300);
      char* const piece = line ? arena.AllocateLine(size) : arena.Allocate(size);
      const size_t alignment = line ? Arena::kCacheLine : Arena::kAlignment;
      ASSERT_EQ(reinterpret_cast<uintptr_t>(piece) % alignment, 0U);
      if (size > 0) std::memset(piece, static_cast<char>(i), size);
      pieces.emplace_back(piece, size);
    }
    for (size_t i = 0; i < pieces.size(); ++i) {
      const auto [piece, size] = pieces[i];
      ASSERT_TRUE(std::all_of(piece, piece + size,
                              [i](char byte) { return byte == static_cast<char>(i); }));
    }
    EXPECT_EQ(arena.MemoryUsage(), pool.bytes_in_use());
  }
  EXPECT_EQ(pool.bytes_in_use(), 0U);
}

TEST(Arena, LargePieceLeavesTheCurrentChunkInUse) {
  ChunkPool pool(8192, 0);
  Arena arena(&pool);
  char* const before = arena.Allocate(16);
  arena.Allocate(100'000);
  EXPECT_EQ(arena.Allocate(16), before + 16);
  EXPECT_EQ(arena.MemoryUsage(), 8192U + 100'000U);
}

TEST(Arena, ReusesTheChunksOfTheOneBefore) {
  ChunkPool pool(8192, 1 << 20);
  { Arena(&pool).Allocate(100); }
  EXPECT_EQ(pool.bytes_retained(), 8192U);
  Arena arena(&pool);
  arena.Allocate(100);
  EXPECT_EQ(pool.bytes_retained(), 0U);
  EXPECT_EQ(pool.bytes_in_use(), 8192U);
}

TEST(Arena, PiecesOfManyThreadsDoNotOverlap) {
  constexpr int kThreads = 8;
  constexpr int kPieces = 2000;
  ChunkPool pool(8192, 1 << 20);
  Arena arena(&pool);
  std::vector<std::vector<std::pair<char*, size_t>>> pieces(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&arena, &mine = pieces[static_cast<size_t>(t)], t] {
      Random random(static_cast<uint64_t>(t) + 1);
      for (int i = 0; i < kPieces; ++i) {
        const size_t size = random.Uniform(200) == 0 ? 5000 : 1 + random.Uniform(200);
        char* const piece = arena.Allocate(size);
        std::memset(piece, t, size);
        mine.emplace_back(piece, size);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) {
    for (const auto& [piece, size] : pieces[static_cast<size_t>(t)]) {
      ASSERT_TRUE(std::all_of(piece, piece + size, [t](char byte) { return byte == t; }));
    }
  }
}

}  // namespace
}  // namespace cambium
