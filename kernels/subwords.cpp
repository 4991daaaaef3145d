#include "kernels/subwords.hpp"

#include <bit>
#include <cstring>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

// FNV-1a over signed characters: bytes from 0x80 flip the upper 24 bits too.
constexpr std::uint32_t hash_start = 2166136261U;
constexpr std::uint32_t hash_factor = 16777619U;

#if DJFAST_X86

typedef std::uint32_t Lanes __attribute__((vector_size(subword_starts * 4)));
typedef std::int32_t SignedLanes __attribute__((vector_size(subword_starts * 4)));
typedef std::uint64_t WideLanes __attribute__((vector_size(subword_starts * 8)));

DJFAST_INLINE void hash_subwords_body(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest,
                                      const Divisor& divisor, std::uint32_t* buckets) noexcept {
  Lanes hash = Lanes{} + hash_start;
  for (std::size_t length = 1; length <= longest; ++length) {
    Lanes bytes;
    std::memcpy(&bytes, code_points + length - 1, sizeof bytes);
    hash = (hash ^ (Lanes)((SignedLanes)(bytes << 24) >> 24)) * hash_factor;
    std::uint32_t beyond_ascii = 0;
    for (std::size_t lane = 0; lane < subword_starts; ++lane) beyond_ascii |= bytes[lane];
    if (beyond_ascii > 0xFF) {
      for (int shift = 16; shift >= 0; shift -= 8) {
        // A code point's later bytes are never zero.
        const Lanes byte = (Lanes)((SignedLanes)(bytes << shift) >> 24);
        const Lanes is_there = (Lanes)(byte != 0);
        hash = (is_there & ((hash ^ byte) * hash_factor)) | (~is_there & hash);
      }
    }
    if (length < shortest) continue;
    // The quotient is exact or one too small.
    const WideLanes product = __builtin_convertvector(hash, WideLanes) * divisor.reciprocal;
    const Lanes quotient = __builtin_convertvector(product >> (32 + divisor.shift), Lanes);
    Lanes remainder = hash - quotient * divisor.divisor;
    remainder -= (Lanes)(remainder >= divisor.divisor) & divisor.divisor;
    std::memcpy(buckets + (length - 1) * subword_starts, &remainder, sizeof remainder);
  }
}

DJFAST_AVX2 void hash_subwords_avx2(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest,
                                    const Divisor& divisor, std::uint32_t* buckets) noexcept {
  hash_subwords_body(code_points, shortest, longest, divisor, buckets);
}

/// Adds the bytes at bits [shift, shift + 8) of `code_points` to hashes, where they are there.
DJFAST_AVX512 inline __m512i add_bytes_avx512(__m512i hash, __mmask16 is_there, __m512i byte) noexcept {
  return _mm512_mask_mullo_epi32(hash, is_there, _mm512_xor_si512(hash, byte),
                                 _mm512_set1_epi32(static_cast<int>(hash_factor)));
}

DJFAST_AVX512 void hash_subwords_avx512(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest,
                                        const Divisor& divisor, std::uint32_t* buckets) noexcept {
  const __m512i reciprocal = _mm512_set1_epi64(divisor.reciprocal);
  const __m512i of = _mm512_set1_epi32(static_cast<int>(divisor.divisor));
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(divisor.shift));
  const __m128i long_shift = _mm_cvtsi32_si128(static_cast<int>(divisor.shift + 32));
  __m512i hash = _mm512_set1_epi32(static_cast<int>(hash_start));
  for (std::size_t length = 1; length <= longest; ++length) {
    const __m512i bytes = _mm512_loadu_si512(code_points + length - 1);
    hash = add_bytes_avx512(hash, 0xFFFF, _mm512_srai_epi32(_mm512_slli_epi32(bytes, 24), 24));
    if (_mm512_cmpgt_epu32_mask(bytes, _mm512_set1_epi32(0xFF)) != 0) {
      // A code point's later bytes are never zero.
      const __m512i second = _mm512_srai_epi32(_mm512_slli_epi32(bytes, 16), 24);
      hash = add_bytes_avx512(hash, _mm512_test_epi32_mask(second, second), second);
      const __m512i third = _mm512_srai_epi32(_mm512_slli_epi32(bytes, 8), 24);
      hash = add_bytes_avx512(hash, _mm512_test_epi32_mask(third, third), third);
      const __m512i fourth = _mm512_srai_epi32(bytes, 24);
      hash = add_bytes_avx512(hash, _mm512_test_epi32_mask(fourth, fourth), fourth);
    }
    if (length < shortest) continue;
    // The quotient is exact or one too small.
    const __m512i even = _mm512_mul_epu32(hash, reciprocal);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(hash, 32), reciprocal);
    const __m512i quotient =
        _mm512_mask_blend_epi32(0xAAAA, _mm512_srl_epi64(even, long_shift), _mm512_srl_epi64(odd, shift));
    const __m512i remainder = _mm512_sub_epi32(hash, _mm512_mullo_epi32(quotient, of));
    const __mmask16 is_large = _mm512_cmpge_epu32_mask(remainder, of);
    _mm512_storeu_si512(buckets + (length - 1) * subword_starts, _mm512_mask_sub_epi32(remainder, is_large, remainder, of));
  }
}

/// Writes the ranks of the marked ones among eight buckets, with only the marks before them; returns how many.
DJFAST_AVX512 inline unsigned held_ranks_avx512(__m256i buckets, __mmask8 inside, const std::uint64_t* ranks,
                                                std::uint64_t* out) noexcept {
  const __m512i rank =
      _mm512_mask_i32gather_epi64(_mm512_setzero_si512(), inside, _mm256_srli_epi32(buckets, 5), ranks, 8);
  const __m512i bit = _mm512_maskz_cvtepu32_epi64(0xFF, _mm256_and_si256(buckets, _mm256_set1_epi32(31)));
  const __m512i mark = _mm512_maskz_sllv_epi64(0xFF, _mm512_set1_epi64(1), bit);
  const __mmask8 held = _mm512_test_epi64_mask(rank, mark);
  const __m512i before = _mm512_sub_epi64(mark, _mm512_set1_epi64(1));
  const __m512i upper = _mm512_set1_epi64(static_cast<long long>(0xFFFFFFFF00000000));
  const __m512i kept = _mm512_and_si512(rank, _mm512_or_si512(before, upper));
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi64(held, kept));
  return static_cast<unsigned>(std::popcount(static_cast<unsigned>(held)));
}

DJFAST_AVX512 std::uint32_t* held_rows_avx512(const std::uint32_t* buckets, std::size_t count,
                                              const std::uint64_t* ranks, const std::uint32_t* rows,
                                              std::uint32_t* out) noexcept {
  const auto inside = static_cast<__mmask16>((1U << count) - 1);
  const __m512i all = _mm512_maskz_loadu_epi32(inside, buckets);
  std::uint64_t held[2 * subword_starts];
  unsigned held_count = held_ranks_avx512(_mm512_castsi512_si256(all), static_cast<__mmask8>(inside), ranks, held);
  if (count > 8) {
    held_count += held_ranks_avx512(_mm512_maskz_extracti64x4_epi64(0xF, all, 1), static_cast<__mmask8>(inside >> 8),
                                    ranks, held + held_count);
  }
  for (unsigned i = 0; i < held_count; ++i) {
    *out++ = rows[(held[i] >> 32) + static_cast<unsigned>(std::popcount(static_cast<std::uint32_t>(held[i])))];
  }
  return out;
}

#endif

}  // namespace

Divisor::Divisor(std::uint32_t of) noexcept
    : divisor(of), shift(static_cast<std::uint32_t>(std::bit_width(of)) - 1) {
  // For a power of two the quotient would need 33 bits; one less makes it one too small at most, as for the others.
  const std::uint64_t exact = (std::uint64_t{1} << (32 + shift)) / of;
  reciprocal = exact > 0xFFFFFFFF ? 0xFFFFFFFF : static_cast<std::uint32_t>(exact);
}

void serial::hash_subwords(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest,
                           const Divisor& divisor, std::uint32_t* buckets) noexcept {
  for (std::size_t start = 0; start < subword_starts; ++start) {
    std::uint32_t hash = hash_start;
    for (std::size_t length = 1; length <= longest; ++length) {
      std::uint32_t bytes = code_points[start + length - 1];
      do {
        hash = (hash ^ static_cast<std::uint32_t>(static_cast<std::int8_t>(bytes & 0xFF))) * hash_factor;
        bytes >>= 8;
      } while (bytes != 0);
      if (length >= shortest) buckets[(length - 1) * subword_starts + start] = hash % divisor.divisor;
    }
  }
}

std::uint32_t* serial::held_rows(const std::uint32_t* buckets, std::size_t count, const std::uint64_t* ranks,
                                 const std::uint32_t* rows, std::uint32_t* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t rank = ranks[buckets[i] / 32];
    const std::uint32_t mark = std::uint32_t{1} << buckets[i] % 32;
    if ((rank & mark) == 0) continue;
    *out++ = rows[(rank >> 32) + static_cast<std::size_t>(std::popcount(static_cast<std::uint32_t>(rank) & (mark - 1)))];
  }
  return out;
}

std::uint32_t* held_rows(const std::uint32_t* buckets, std::size_t count, const std::uint64_t* ranks,
                         const std::uint32_t* rows, std::uint32_t* out) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return held_rows_avx512(buckets, count, ranks, rows, out);
#endif
  return serial::held_rows(buckets, count, ranks, rows, out);
}

void hash_subwords(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest, const Divisor& divisor,
                   std::uint32_t* buckets) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return hash_subwords_avx512(code_points, shortest, longest, divisor, buckets);
    case Isa::avx2: return hash_subwords_avx2(code_points, shortest, longest, divisor, buckets);
    case Isa::serial: break;
  }
#endif
  serial::hash_subwords(code_points, shortest, longest, divisor, buckets);
}

}  // namespace djfast::kernels
