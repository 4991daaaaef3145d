#include "kernels/subwords.hpp"

#include <bit>
#include <cstring>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the deliberately undefined operand inside its own intrinsics for a mistake.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#endif

namespace djfast::kernels {
namespace {

// FNV-1a over signed characters: bytes from 0x80 flip the upper 24 bits too.
constexpr std::uint32_t hash_start = 2166136261U;
constexpr std::uint32_t hash_factor = 16777619U;

DJFAST_INLINE void rows_of_marks_body(std::uint32_t* buckets, std::size_t count, const MarkedRows& marked) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t word = buckets[i] / 32;
    const std::uint32_t marks_before = marked.marks[word] & ((std::uint32_t{1} << buckets[i] % 32) - 1);
    buckets[i] = marked.rows[marked.before[word] + static_cast<std::uint32_t>(std::popcount(marks_before))];
  }
}

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

/// Adds a byte to those hashes for which there is one.
DJFAST_AVX512 inline __m512i add_byte_avx512(__m512i hash, __mmask16 is_there, __m512i byte) noexcept {
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
    hash = add_byte_avx512(hash, 0xFFFF, _mm512_srai_epi32(_mm512_slli_epi32(bytes, 24), 24));
    if (_mm512_cmpgt_epu32_mask(bytes, _mm512_set1_epi32(0xFF)) != 0) {
      // A code point's later bytes are never zero.
      const __m512i second = _mm512_srai_epi32(_mm512_slli_epi32(bytes, 16), 24);
      hash = add_byte_avx512(hash, _mm512_test_epi32_mask(second, second), second);
      const __m512i third = _mm512_srai_epi32(_mm512_slli_epi32(bytes, 8), 24);
      hash = add_byte_avx512(hash, _mm512_test_epi32_mask(third, third), third);
      const __m512i fourth = _mm512_srai_epi32(bytes, 24);
      hash = add_byte_avx512(hash, _mm512_test_epi32_mask(fourth, fourth), fourth);
    }
    if (length < shortest) continue;
    // The quotient is exact or one too small.
    const __m512i even = _mm512_mul_epu32(hash, reciprocal);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(hash, 32), reciprocal);
    const __m512i quotient =
        _mm512_mask_blend_epi32(0xAAAA, _mm512_srl_epi64(even, long_shift), _mm512_srl_epi64(odd, shift));
    const __m512i remainder = _mm512_sub_epi32(hash, _mm512_mullo_epi32(quotient, of));
    const __mmask16 is_large = _mm512_cmpge_epu32_mask(remainder, of);
    _mm512_storeu_si512(buckets + (length - 1) * subword_starts,
                        _mm512_mask_sub_epi32(remainder, is_large, remainder, of));
  }
}

DJFAST_AVX512 std::uint32_t* keep_marked_avx512(const std::uint32_t* buckets, std::size_t count,
                                                const std::uint32_t* marks, std::uint32_t* out) noexcept {
  const auto inside = static_cast<__mmask16>((1U << count) - 1);
  const __m512i all = _mm512_maskz_loadu_epi32(inside, buckets);
  const __m512i words =
      _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), inside, _mm512_srli_epi32(all, 5), marks, 4);
  const __m512i mark = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_and_si512(all, _mm512_set1_epi32(31)));
  const __mmask16 is_marked = _mm512_test_epi32_mask(words, mark);
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(is_marked, all));
  return out + std::popcount(static_cast<unsigned>(is_marked));
}

DJFAST_AVX512 void rows_of_marks_avx512(std::uint32_t* buckets, std::size_t count, const MarkedRows& marked) noexcept {
  rows_of_marks_body(buckets, count, marked);
}

DJFAST_AVX2 void rows_of_marks_avx2(std::uint32_t* buckets, std::size_t count, const MarkedRows& marked) noexcept {
  rows_of_marks_body(buckets, count, marked);
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

std::uint32_t* serial::keep_marked(const std::uint32_t* buckets, std::size_t count, const std::uint32_t* marks,
                                   std::uint32_t* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bucket = buckets[i];
    *out = bucket;
    out += marks[bucket / 32] >> bucket % 32 & 1;
  }
  return out;
}

void serial::rows_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedRows& marked) noexcept {
  rows_of_marks_body(buckets, count, marked);
}

std::uint32_t* keep_marked(const std::uint32_t* buckets, std::size_t count, const std::uint32_t* marks,
                           std::uint32_t* out) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return keep_marked_avx512(buckets, count, marks, out);
#endif
  return serial::keep_marked(buckets, count, marks, out);
}

void rows_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedRows& marked) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return rows_of_marks_avx512(buckets, count, marked);
    case Isa::avx2: return rows_of_marks_avx2(buckets, count, marked);
    case Isa::serial: break;
  }
#endif
  serial::rows_of_marks(buckets, count, marked);
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
