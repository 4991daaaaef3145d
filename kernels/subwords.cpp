#include "kernels/subwords.hpp"

#include <algorithm>
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

/// Whether an n-gram of `length` starts at a code point.
DJFAST_INLINE bool is_start(std::uint8_t left, std::size_t length) noexcept {
  if (length == 1) return left > 1 && (left & first_in_frame) == 0;
  return (left & most_left) >= length;
}

/// Keeps those of 16 n-grams from `start` that have a row.
DJFAST_INLINE void keep_marked(const std::uint32_t* buckets, const FramedWords& words, std::size_t start,
                               std::size_t length, const std::uint32_t* marks, KeptSubwords& kept) noexcept {
  const std::size_t count = std::min(subword_starts, words.starts - start);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bucket = buckets[i];
    *kept.buckets = bucket;
    *kept.starts = static_cast<std::uint32_t>(start + i);
    const std::uint32_t has_row = marks == nullptr ? 1 : marks[bucket / 32] >> bucket % 32 & 1;
    const std::uint32_t is_kept = is_start(words.left[start + i], length) ? has_row : 0;
    kept.buckets += is_kept;
    kept.starts += is_kept;
  }
}

#if DJFAST_X86

typedef std::uint32_t Lanes __attribute__((vector_size(subword_starts * 4)));
typedef std::int32_t SignedLanes __attribute__((vector_size(subword_starts * 4)));
typedef std::uint64_t WideLanes __attribute__((vector_size(subword_starts * 8)));

DJFAST_AVX2 void keep_subwords_avx2(const FramedWords& words, const SubwordBuckets& buckets,
                                    KeptSubwords* kept) noexcept {
  const Divisor& divisor = buckets.bucket_of;
  for (std::size_t start = 0; start < words.starts; start += subword_starts) {
    Lanes hash = Lanes{} + hash_start;
    for (std::size_t length = 1; length <= buckets.longest; ++length) {
      Lanes bytes;
      std::memcpy(&bytes, words.code_points + start + length - 1, sizeof bytes);
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
      if (length < buckets.shortest) continue;
      // The quotient is exact or one too small.
      const WideLanes product = __builtin_convertvector(hash, WideLanes) * divisor.reciprocal;
      const Lanes quotient = __builtin_convertvector(product >> (32 + divisor.shift), Lanes);
      Lanes remainder = hash - quotient * divisor.divisor;
      remainder -= (Lanes)(remainder >= divisor.divisor) & divisor.divisor;
      std::uint32_t found[subword_starts];
      std::memcpy(found, &remainder, sizeof found);
      keep_marked(found, words, start, length, buckets.marks, kept[length - buckets.shortest]);
    }
  }
}

/// Adds a byte to those hashes for which there is one.
DJFAST_AVX512 inline __m512i add_byte_avx512(__m512i hash, __mmask16 is_there, __m512i byte) noexcept {
  return _mm512_mask_mullo_epi32(hash, is_there, _mm512_xor_si512(hash, byte),
                                 _mm512_set1_epi32(static_cast<int>(hash_factor)));
}

DJFAST_AVX512 void keep_subwords_avx512(const FramedWords& words, const SubwordBuckets& buckets,
                                        KeptSubwords* kept) noexcept {
  const Divisor& divisor = buckets.bucket_of;
  const __m512i reciprocal = _mm512_set1_epi64(divisor.reciprocal);
  const __m512i of = _mm512_set1_epi32(static_cast<int>(divisor.divisor));
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(divisor.shift));
  const __m128i long_shift = _mm_cvtsi32_si128(static_cast<int>(divisor.shift + 32));
  __m512i starts = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (std::size_t start = 0; start < words.starts; start += subword_starts) {
    const auto inside = static_cast<__mmask16>(
        _bzhi_u32(0xFFFF, static_cast<unsigned>(std::min(subword_starts, words.starts - start))));
    const __m128i marked_left = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words.left + start));
    const __m128i left = _mm_and_si128(marked_left, _mm_set1_epi8(most_left));
    __m512i hash = _mm512_set1_epi32(static_cast<int>(hash_start));
    for (std::size_t length = 1; length <= buckets.longest; ++length) {
      __mmask16 is_kept = _mm_mask_cmpge_epu8_mask(inside, left, _mm_set1_epi8(static_cast<char>(length)));
      if (is_kept == 0) break;
      if (length == 1) {
        is_kept = static_cast<__mmask16>(_mm_mask_cmpgt_epu8_mask(is_kept, left, _mm_set1_epi8(1)) &
                                         ~_mm_movepi8_mask(marked_left));
      }
      const __m512i bytes = _mm512_loadu_si512(words.code_points + start + length - 1);
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
      if (length < buckets.shortest) continue;
      // The quotient is exact or one too small.
      const __m512i even = _mm512_mul_epu32(hash, reciprocal);
      const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(hash, 32), reciprocal);
      const __m512i quotient =
          _mm512_mask_blend_epi32(0xAAAA, _mm512_srl_epi64(even, long_shift), _mm512_srl_epi64(odd, shift));
      __m512i bucket = _mm512_sub_epi32(hash, _mm512_mullo_epi32(quotient, of));
      bucket = _mm512_mask_sub_epi32(bucket, _mm512_cmpge_epu32_mask(bucket, of), bucket, of);
      if (buckets.marks != nullptr) {
        const __m512i marks = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), is_kept, _mm512_srli_epi32(bucket, 5),
                                                          buckets.marks, 4);
        const __m512i mark = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_and_si512(bucket, _mm512_set1_epi32(31)));
        is_kept = _mm512_test_epi32_mask(marks, mark);
      }
      KeptSubwords& list = kept[length - buckets.shortest];
      _mm512_storeu_si512(list.buckets, _mm512_maskz_compress_epi32(is_kept, bucket));
      _mm512_storeu_si512(list.starts, _mm512_maskz_compress_epi32(is_kept, starts));
      list.buckets += std::popcount(static_cast<unsigned>(is_kept));
      list.starts += std::popcount(static_cast<unsigned>(is_kept));
    }
    starts = _mm512_add_epi32(starts, _mm512_set1_epi32(subword_starts));
  }
}

DJFAST_AVX512 std::uint32_t* unpack_code_points_avx512(const char* text, std::size_t size,
                                                       std::uint32_t* out) noexcept {
  const __m512i continuation = _mm512_set1_epi32(0x80);
  const __m512i class_bits = _mm512_set1_epi32(0xC0);
  for (std::size_t at = 0; at < size; at += 16) {
    const auto left = static_cast<unsigned>(std::min<std::size_t>(size - at, 32));
    const std::uint32_t inside = _bzhi_u32(0xFFFFFFFF, left);
    const __m256i bytes = _mm256_maskz_loadu_epi8(inside, text + at);
    const __m512i first = _mm512_cvtepu8_epi32(_mm256_castsi256_si128(bytes));
    if (static_cast<std::uint16_t>(_mm256_movepi8_mask(bytes)) == 0) {
      _mm512_storeu_si512(out, first);
      out += std::min(left, 16U);
      continue;
    }
    // Every place takes the bytes that continue it; those at which no code point begins are then left out.
    const __m128i high = _mm256_extracti128_si256(bytes, 1);
    const __m128i low = _mm256_castsi256_si128(bytes);
    const __m512i second = _mm512_cvtepu8_epi32(_mm_alignr_epi8(high, low, 1));
    const __m512i third = _mm512_cvtepu8_epi32(_mm_alignr_epi8(high, low, 2));
    const __m512i fourth = _mm512_cvtepu8_epi32(_mm_alignr_epi8(high, low, 3));
    const __mmask16 begins =
        _mm512_cmpneq_epi32_mask(_mm512_and_si512(first, class_bits), continuation) & static_cast<__mmask16>(inside);
    const __mmask16 has_second = _mm512_cmpeq_epi32_mask(_mm512_and_si512(second, class_bits), continuation);
    const __mmask16 has_third =
        _mm512_mask_cmpeq_epi32_mask(has_second, _mm512_and_si512(third, class_bits), continuation);
    const __mmask16 has_fourth =
        _mm512_mask_cmpeq_epi32_mask(has_third, _mm512_and_si512(fourth, class_bits), continuation);
    __m512i code_points = _mm512_mask_or_epi32(first, has_second, first, _mm512_slli_epi32(second, 8));
    code_points = _mm512_mask_or_epi32(code_points, has_third, code_points, _mm512_slli_epi32(third, 16));
    code_points = _mm512_mask_or_epi32(code_points, has_fourth, code_points, _mm512_slli_epi32(fourth, 24));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(begins, code_points));
    out += std::popcount(static_cast<unsigned>(begins));
  }
  return out;
}

DJFAST_AVX512 inline __m512i count_ones_avx512(__m512i words) noexcept {
  const __m512i ones_of_four =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m512i four_bits = _mm512_set1_epi8(0x0F);
  const __m512i bytes = _mm512_add_epi8(
      _mm512_shuffle_epi8(ones_of_four, _mm512_and_si512(words, four_bits)),
      _mm512_shuffle_epi8(ones_of_four, _mm512_and_si512(_mm512_srli_epi32(words, 4), four_bits)));
  return _mm512_madd_epi16(_mm512_maddubs_epi16(bytes, _mm512_set1_epi8(1)), _mm512_set1_epi16(1));
}

DJFAST_AVX512 void places_of_marks_avx512(std::uint32_t* buckets, std::size_t count,
                                          const MarkedBuckets& marked) noexcept {
  const __m512i zero = _mm512_setzero_si512();
  for (std::size_t at = 0; at < count; at += 16) {
    const auto inside =
        static_cast<__mmask16>(_bzhi_u32(0xFFFF, static_cast<unsigned>(std::min<std::size_t>(count - at, 16))));
    const __m512i bucket = _mm512_maskz_loadu_epi32(inside, buckets + at);
    const __m512i word = _mm512_srli_epi32(bucket, 5);
    const __m512i one = _mm512_set1_epi32(1);
    const __mmask16 is_odd = _mm512_mask_test_epi32_mask(inside, word, one);
    const __m512i before = _mm512_mask_i32gather_epi32(zero, inside, _mm512_srli_epi32(word, 1), marked.before, 4);
    const __m512i marks = _mm512_mask_i32gather_epi32(zero, inside, word, marked.marks, 4);
    const __m512i even_word = _mm512_xor_si512(word, one);  // of an odd one
    const __m512i even_marks = _mm512_mask_i32gather_epi32(zero, is_odd, even_word, marked.marks, 4);
    const __m512i mark = _mm512_sllv_epi32(one, _mm512_and_si512(bucket, _mm512_set1_epi32(31)));
    const __m512i earlier = _mm512_and_si512(marks, _mm512_sub_epi32(mark, one));
    const __m512i ones = _mm512_add_epi32(count_ones_avx512(earlier), count_ones_avx512(even_marks));
    _mm512_mask_storeu_epi32(buckets + at, inside, _mm512_add_epi32(before, ones));
  }
}

#endif

}  // namespace

Divisor::Divisor(std::uint32_t of) noexcept
    : divisor(of), shift(static_cast<std::uint32_t>(std::bit_width(of)) - 1) {
  // For a power of two the quotient would need 33 bits; one less makes it one too small at most, as for the others.
  const std::uint64_t exact = (std::uint64_t{1} << (32 + shift)) / of;
  reciprocal = exact > 0xFFFFFFFF ? 0xFFFFFFFF : static_cast<std::uint32_t>(exact);
}

std::uint32_t* serial::unpack_code_points(const char* text, std::size_t size, std::uint32_t* out) noexcept {
  const char* const end = text + size;
  while (text < end) {
    std::uint32_t bytes = static_cast<unsigned char>(*text++);
    if (bytes >= 0x80) {
      for (int shift = 8; shift < 32 && text < end && (static_cast<unsigned char>(*text) & 0xC0) == 0x80; shift += 8) {
        bytes |= static_cast<std::uint32_t>(static_cast<unsigned char>(*text++)) << shift;
      }
    }
    *out++ = bytes;
  }
  return out;
}

void serial::keep_subwords(const FramedWords& words, const SubwordBuckets& buckets, KeptSubwords* kept) noexcept {
  for (std::size_t start = 0; start < words.starts; start += subword_starts) {
    std::uint32_t hashes[subword_starts];
    std::ranges::fill(hashes, hash_start);
    for (std::size_t length = 1; length <= buckets.longest; ++length) {
      std::uint32_t found[subword_starts];
      for (std::size_t i = 0; i < subword_starts; ++i) {
        std::uint32_t bytes = words.code_points[start + i + length - 1];
        do {
          hashes[i] = (hashes[i] ^ static_cast<std::uint32_t>(static_cast<std::int8_t>(bytes & 0xFF))) * hash_factor;
          bytes >>= 8;
        } while (bytes != 0);
        found[i] = hashes[i] % buckets.bucket_of.divisor;
      }
      if (length < buckets.shortest) continue;
      keep_marked(found, words, start, length, buckets.marks, kept[length - buckets.shortest]);
    }
  }
}

void serial::places_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedBuckets& marked) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t pair = buckets[i] / 64;
    const std::uint64_t marks = marked.marks[2 * pair] | std::uint64_t{marked.marks[2 * pair + 1]} << 32;
    const std::uint64_t earlier = marks & ((std::uint64_t{1} << buckets[i] % 64) - 1);
    buckets[i] = marked.before[pair] + static_cast<std::uint32_t>(std::popcount(earlier));
  }
}

std::uint32_t* unpack_code_points(const char* text, std::size_t size, std::uint32_t* out) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return unpack_code_points_avx512(text, size, out);
#endif
  return serial::unpack_code_points(text, size, out);
}

void keep_subwords(const FramedWords& words, const SubwordBuckets& buckets, KeptSubwords* kept) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return keep_subwords_avx512(words, buckets, kept);
    case Isa::avx2: return keep_subwords_avx2(words, buckets, kept);
    case Isa::serial: break;
  }
#endif
  serial::keep_subwords(words, buckets, kept);
}

void places_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedBuckets& marked) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return places_of_marks_avx512(buckets, count, marked);
#endif
  serial::places_of_marks(buckets, count, marked);
}

}  // namespace djfast::kernels
