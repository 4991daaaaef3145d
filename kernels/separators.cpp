#include "kernels/separators.hpp"

#include <cstring>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

constexpr bool is_separator(unsigned char byte) noexcept {
  return byte == ' ' || byte == 0 || (byte >= '\t' && byte <= '\r');
}

#if DJFAST_X86

DJFAST_AVX2 std::uint32_t separators_of_32(__m256i block) noexcept {
  const __m256i shifted = _mm256_sub_epi8(block, _mm256_set1_epi8('\t'));
  const __m256i controls = _mm256_cmpeq_epi8(_mm256_min_epu8(shifted, _mm256_set1_epi8(4)), shifted);
  const __m256i spaces = _mm256_cmpeq_epi8(block, _mm256_set1_epi8(' '));
  const __m256i nuls = _mm256_cmpeq_epi8(block, _mm256_setzero_si256());
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(controls, _mm256_or_si256(spaces, nuls))));
}

DJFAST_AVX2 void mark_avx2(const char* text, std::size_t size, std::uint64_t* bits) noexcept {
  alignas(32) char tail[64];
  for (std::size_t at = 0; at < size; at += 64) {
    const char* block = text + at;
    if (size - at < 64) {
      std::memset(tail, 'x', sizeof tail);
      std::memcpy(tail, block, size - at);
      block = tail;
    }
    const std::uint64_t low = separators_of_32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block)));
    const std::uint64_t high = separators_of_32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32)));
    bits[at / 64] = low | high << 32;
  }
}

DJFAST_AVX512 void mark_avx512(const char* text, std::size_t size, std::uint64_t* bits) noexcept {
  for (std::size_t at = 0; at < size; at += 64) {
    const std::uint64_t inside = size - at >= 64 ? ~std::uint64_t{0} : ~std::uint64_t{0} >> (64 - (size - at));
    const __m512i block = _mm512_maskz_loadu_epi8(inside, text + at);
    const __m512i shifted = _mm512_sub_epi8(block, _mm512_set1_epi8('\t'));
    const std::uint64_t controls = _mm512_cmple_epu8_mask(shifted, _mm512_set1_epi8(4));
    const std::uint64_t spaces = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(' '));
    const std::uint64_t nuls = _mm512_testn_epi8_mask(block, block);
    bits[at / 64] = (controls | spaces | nuls) & inside;
  }
}

#endif

}  // namespace

void serial::mark_separators(const char* text, std::size_t size, std::uint64_t* bits) noexcept {
  for (std::size_t at = 0; at < size; at += 64) {
    std::uint64_t marks = 0;
    for (std::size_t i = at; i < size && i < at + 64; ++i) {
      marks |= static_cast<std::uint64_t>(is_separator(static_cast<unsigned char>(text[i]))) << (i - at);
    }
    bits[at / 64] = marks;
  }
}

void mark_separators(const char* text, std::size_t size, std::uint64_t* bits) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return mark_avx512(text, size, bits);
    case Isa::avx2: return mark_avx2(text, size, bits);
    case Isa::serial: break;
  }
#endif
  serial::mark_separators(text, size, bits);
}

}  // namespace djfast::kernels
