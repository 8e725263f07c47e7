#include "sstable/block/filter_partition.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "sstable/block/block_simd.h"
#include "util/byte_reader.h"
#include "util/coding.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace cambium::sstable {
namespace {

constexpr size_t kHeaderSize = kFilterLineSize;
constexpr int kBitsInWord = 32;

// One odd constant per probe (random; part of the format).
alignas(64) constexpr uint32_t kMultipliers[kMaxFilterProbes] = {
    0x9bd6a4c5, 0x5f3c1e8b, 0xc7a93d21, 0x3d4b8f67, 0xe8156b3f, 0x72f1c9ad, 0xa52e07f9, 0x16cb5ad3,
    0xd13f9875, 0x4b87e21d, 0x8e60d5b7, 0x2fa4137b, 0xf97d4e09, 0x6153ba2f, 0xb4c8f6e1, 0x0d92735d};

// Returns the bit of a line for probe `i` of the hash: 0 … 511.
uint32_t BitOf(uint32_t low_hash, unsigned i) { return (low_hash * kMultipliers[i]) >> 23; }

size_t LineOf(uint64_t hash, uint64_t line_count) { return ((hash >> 32) * line_count) >> 32; }

// All bits of one key are in one line, and the number of keys per line varies: fewer probes than
// the 0.69 × bits per key of a filter without lines are optimal.
unsigned ProbesFor(double bits_per_key) {
  const double probes = std::round(bits_per_key * 0.6);
  return static_cast<unsigned>(std::clamp(probes, 1.0, double{kMaxFilterProbes}));
}

using Prober = bool (*)(const char* line, uint32_t low_hash, unsigned probes);

bool ProbePortable(const char* line, uint32_t low_hash, unsigned probes) {
  for (unsigned i = 0; i < probes; ++i) {
    const uint32_t bit = BitOf(low_hash, i);
    const auto byte = static_cast<unsigned char>(line[bit / 8]);
    if (((byte >> (bit % 8)) & 1) == 0) return false;
  }
  return true;
}

#ifdef __x86_64__
// All probes at once: one lane per probe, the line's sixteen words in one register. (The masked
// forms are used because GCC 12 warns of an uninitialized variable inside the others.)
__attribute__((target("avx512f"))) bool ProbeAvx512(const char* line, uint32_t low_hash,
                                                    unsigned probes) {
  const auto lanes = static_cast<__mmask16>((1u << probes) - 1);
  const __m512i product = _mm512_mullo_epi32(_mm512_set1_epi32(static_cast<int>(low_hash)),
                                             _mm512_load_si512(kMultipliers));
  const __m512i words = _mm512_maskz_permutexvar_epi32(
      lanes, _mm512_maskz_srli_epi32(lanes, product, 28), _mm512_loadu_si512(line));
  const __m512i place = _mm512_and_si512(_mm512_maskz_srli_epi32(lanes, product, 23),
                                         _mm512_set1_epi32(kBitsInWord - 1));
  const __m512i bits = _mm512_maskz_sllv_epi32(lanes, _mm512_set1_epi32(1), place);
  return _mm512_mask_testn_epi32_mask(lanes, words, bits) == 0;
}
#endif

Prober ProberFor(Simd simd) {
#ifdef __x86_64__
  if (simd == Simd::kAvx512) return ProbeAvx512;
#endif
  return ProbePortable;
}

}  // namespace

FilterBuilder::FilterBuilder(double bits_per_key)
    : bits_per_key_(std::clamp(bits_per_key, 1.0, 100.0)) {}

void FilterBuilder::AddHash(uint64_t hash) {
  if (!hashes_.empty() && hashes_.back() == hash) return;
  hashes_.push_back(hash);
}

size_t FilterBuilder::LineCount() const {
  constexpr double kLineBits = kFilterLineSize * 8;
  const double lines = std::ceil(static_cast<double>(count()) * bits_per_key_ / kLineBits);
  return static_cast<size_t>(std::clamp(lines, 1.0, double{UINT32_MAX}));
}

size_t FilterBuilder::EstimatedSize() const { return kHeaderSize + LineCount() * kFilterLineSize; }

std::string FilterBuilder::Finish() {
  const size_t line_count = LineCount();
  const unsigned probes = ProbesFor(bits_per_key_);
  std::string partition(kHeaderSize + line_count * kFilterLineSize, '\0');
  partition[0] = static_cast<char>(kFilterKindBlockedBloom);
  partition[1] = static_cast<char>(probes);
  StoreFixed32(partition.data() + 4, static_cast<uint32_t>(line_count));
  for (const uint64_t hash : hashes_) {
    char* const line = partition.data() + kHeaderSize + LineOf(hash, line_count) * kFilterLineSize;
    for (unsigned i = 0; i < probes; ++i) {
      const uint32_t bit = BitOf(static_cast<uint32_t>(hash), i);
      line[bit / 8] = static_cast<char>(line[bit / 8] | (1 << (bit % 8)));
    }
  }
  hashes_.clear();
  return partition;
}

absl::StatusOr<FilterView> FilterView::Parse(std::string_view bytes) {
  ByteReader reader(bytes);
  const uint8_t kind = reader.ReadFixed8();
  const uint8_t probes = reader.ReadFixed8();
  reader.ReadFixed16();
  const uint32_t line_count = reader.ReadFixed32();
  reader.ReadBytes(kHeaderSize - reader.offset());
  if (!reader.ok()) {
    return absl::DataLossError(
        absl::StrCat("filter: shorter than its header: found ", bytes.size(), " bytes"));
  }
  if (kind != kFilterKindBlockedBloom) {
    return absl::UnimplementedError(absl::StrCat("filter: unknown kind, found ", uint32_t{kind}));
  }
  if (probes == 0 || probes > kMaxFilterProbes) {
    return absl::DataLossError(absl::StrCat("filter: impossible number of bits a key, found ",
                                            uint32_t{probes}, ", expected 1 to 16"));
  }
  const uint64_t expected = uint64_t{line_count} * kFilterLineSize;
  if (line_count == 0 || reader.remaining() != expected) {
    return absl::DataLossError(absl::StrCat("filter: lines do not fill it: found ",
                                            reader.remaining(), " bytes, expected ", expected));
  }
  return FilterView(bytes.data() + kHeaderSize, line_count, probes);
}

bool FilterView::MayContain(uint64_t hash) const {
  static const Prober probe = ProberFor(BestSimd());
  return probe(Line(hash), static_cast<uint32_t>(hash), probes_);
}

}  // namespace cambium::sstable
