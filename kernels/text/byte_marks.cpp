#include "kernels/text/byte_marks.hpp"

#include <cstring>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

void mark_serial(std::string_view bytes, const ByteSet& set, std::uint64_t* marks) noexcept {
  for (std::size_t begin = 0; begin < bytes.size(); begin += 64) {
    const std::string_view block = bytes.substr(begin, 64);
    std::uint64_t mark = 0;
    for (std::size_t i = 0; i < block.size(); ++i) mark |= static_cast<std::uint64_t>(set.has(block[i])) << i;
    marks[begin / 64] = mark;
  }
}

#if DJFAST_X86

DJFAST_AVX2 std::uint32_t marks_of_32(const char* at, __m256i by_low, __m256i by_high) noexcept {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i low = _mm256_shuffle_epi8(by_low, _mm256_and_si256(bytes, nibble));
  const __m256i high = _mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
  const __m256i outside = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
  return ~static_cast<std::uint32_t>(_mm256_movemask_epi8(outside));
}

DJFAST_AVX2 std::uint64_t marks_of_64(const char* at, __m256i by_low, __m256i by_high) noexcept {
  return marks_of_32(at, by_low, by_high) | std::uint64_t{marks_of_32(at + 32, by_low, by_high)} << 32;
}

DJFAST_AVX2 void mark_avx2(std::string_view bytes, const ByteSet& set, std::uint64_t* marks) noexcept {
  const __m256i by_low =
      _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(set.by_low())));
  const __m256i by_high =
      _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(set.by_high())));
  std::size_t begin = 0;
  for (; begin + 64 <= bytes.size(); begin += 64) {
    marks[begin / 64] = marks_of_64(bytes.data() + begin, by_low, by_high);
  }
  const std::size_t rest = bytes.size() - begin;
  if (rest == 0) return;
  char padded[64] = {};
  std::memcpy(padded, bytes.data() + begin, rest);
  marks[begin / 64] = marks_of_64(padded, by_low, by_high) & ((std::uint64_t{1} << rest) - 1);
}

DJFAST_AVX512 __m512i four_times(const std::uint8_t* table) noexcept {
  const __m128i once = _mm_load_si128(reinterpret_cast<const __m128i*>(table));
  return _mm512_maskz_broadcast_i32x4(__mmask16{0xFFFF}, once);
}

DJFAST_AVX512 void mark_avx512(std::string_view bytes, const ByteSet& set, std::uint64_t* marks) noexcept {
  const __m512i by_low = four_times(set.by_low());
  const __m512i by_high = four_times(set.by_high());
  const __m512i nibble = _mm512_set1_epi8(15);
  for (std::size_t begin = 0; begin < bytes.size(); begin += 64) {
    const std::size_t size = bytes.size() - begin;
    const __mmask64 inside = size >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
    const __m512i block = _mm512_maskz_loadu_epi8(inside, bytes.data() + begin);
    const __m512i low = _mm512_shuffle_epi8(by_low, _mm512_and_si512(block, nibble));
    const __m512i high = _mm512_shuffle_epi8(by_high, _mm512_and_si512(_mm512_srli_epi16(block, 4), nibble));
    marks[begin / 64] = _mm512_mask_test_epi8_mask(inside, low, high);
  }
}

#endif

}  // namespace

void mark_bytes(std::string_view bytes, const ByteSet& set, std::uint64_t* marks) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return mark_avx512(bytes, set, marks);
    case Isa::avx2: return mark_avx2(bytes, set, marks);
    case Isa::serial: break;
  }
#endif
  mark_serial(bytes, set, marks);
}

}  // namespace djfast::kernels
