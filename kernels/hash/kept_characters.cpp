// Blocks of 64 bytes get a mask of the bytes that stay, which then move together eight at a time. ASCII is judged by
// ranges in vectors, other code points one by one in a loop over the mask's bits.
#include "kernels/hash/kept_characters.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "djfast/unicode.hpp"
#include "kernels/dispatch.hpp"
#include "kernels/hash/moved_bytes.hpp"
#include "kernels/text/code_points.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

constexpr std::size_t block_bytes = moved_block;

/// White space, digits and punctuation of ASCII.
constexpr auto ignored_ascii = [] {
  std::array<bool, 128> ignored{};
  for (std::size_t c = 0; c < ignored.size(); ++c) {
    ignored[c] = (c >= 0x09 && c <= 0x0D) || (c >= 0x20 && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
                 (c >= 0x7B && c <= 0x7E);
  }
  return ignored;
}();

/// Of code points beyond ASCII only white space and decimal digits are ignored.
bool is_ignored(char32_t code_point) noexcept {
  return (text::class_bits(code_point) & (unicode::regex_space | unicode::regex_digit)) != 0;
}

std::size_t keep_serial(std::string_view text, char* out) noexcept {
  char* const start_of_output = out;
  const char* at = text.data();
  for (const char* end = at + text.size(); at != end;) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < 0x80) {
      *out = *at++;
      out += ignored_ascii[byte] ? 0 : 1;
      continue;
    }
    const char* start = at;
    if (!is_ignored(unicode::next_code_point(at))) out = std::copy(start, at, out);
  }
  return static_cast<std::size_t>(out - start_of_output);
}

#if DJFAST_X86
/// Bit i tells something of byte i of a block.
struct Marks {
  std::uint64_t ignored;  // among ASCII bytes
  std::uint64_t beyond_ascii;
};

// What is ignored of ASCII: white space 09-0D; space, punctuation and digits 20-40; punctuation 5B-60 and 7B-7E.

DJFAST_AVX512 inline std::uint64_t within_avx512(__m512i bytes, char first, char last) noexcept {
  const auto span = static_cast<char>(last - first);
  return _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8(first)), _mm512_set1_epi8(span));
}

DJFAST_AVX512 inline Marks mark_avx512(const char* block) noexcept {
  const __m512i bytes = _mm512_loadu_si512(block);
  return {within_avx512(bytes, 0x09, 0x0D) | within_avx512(bytes, 0x20, 0x40) | within_avx512(bytes, 0x5B, 0x60) |
              within_avx512(bytes, 0x7B, 0x7E),
          _mm512_movepi8_mask(bytes)};
}

DJFAST_AVX2 inline __m256i within_avx2(__m256i bytes, char first, char last) noexcept {
  return _mm256_and_si256(_mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(static_cast<char>(first - 1))),
                          _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(last + 1)), bytes));
}

DJFAST_AVX2 inline Marks mark_avx2(const char* block) noexcept {
  Marks marks{};
  for (int half = 0; half < 2; ++half) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block) + half);
    const __m256i ignored = _mm256_or_si256(
        _mm256_or_si256(within_avx2(bytes, 0x09, 0x0D), within_avx2(bytes, 0x20, 0x40)),
        _mm256_or_si256(within_avx2(bytes, 0x5B, 0x60), within_avx2(bytes, 0x7B, 0x7E)));
    marks.ignored |= std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(ignored))} << (32 * half);
    marks.beyond_ascii |= std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes))} << (32 * half);
  }
  return marks;
}

/// The bytes of ignored code points beyond ASCII.
DJFAST_INLINE std::uint64_t ignored_beyond_ascii(const char* block, std::uint64_t beyond_ascii) noexcept {
  std::uint64_t ignored = 0;
  while (beyond_ascii != 0) {
    const int first = std::countr_zero(beyond_ascii);
    const char* at = block + first;
    const bool is = is_ignored(unicode::next_code_point(at));
    const auto bytes = ((std::uint64_t{1} << (at - block - first)) - 1) << first;
    ignored |= is ? bytes : 0;
    beyond_ascii &= ~bytes;
  }
  return ignored;
}

/// Where the block may end so that no code point is cut: 64, or less by the bytes of one that goes on.
DJFAST_INLINE std::size_t whole_characters(const char* block) noexcept {
  for (std::size_t back = 1; back <= 3; ++back) {
    const auto byte = static_cast<unsigned char>(block[block_bytes - back]);
    if (byte < 0x80) return block_bytes;
    if (byte >= 0xC0) {
      const std::size_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
      return length > back ? block_bytes - back : block_bytes;
    }
  }
  return block_bytes;
}

/// `mark` judges the ASCII bytes of a block. The last block is a copy, so that nothing is read past the text.
template <Marks (*mark)(const char*) noexcept>
DJFAST_INLINE std::size_t keep(std::string_view text, char* out) noexcept {
  char* const start_of_output = out;
  const char* at = text.data();
  std::size_t left = text.size();
  char rest[block_bytes];
  while (left > 0) {
    std::size_t size = block_bytes;
    const char* block = at;
    if (left < block_bytes) {
      std::memset(rest, ' ', sizeof rest);  // ignored
      std::memcpy(rest, at, left);
      block = rest;
      size = left;
    }
    const Marks marks = mark(block);
    std::uint64_t ignored = marks.ignored;
    if (marks.beyond_ascii != 0) [[unlikely]] {
      std::uint64_t within = ~std::uint64_t{0};
      if (size == block_bytes) {
        size = whole_characters(block);
        within >>= block_bytes - size;
      }
      ignored |= ignored_beyond_ascii(block, marks.beyond_ascii & within) | ~within;
    }
    out = move_together(block, ~ignored, out);
    at += size;
    left -= size;
  }
  return static_cast<std::size_t>(out - start_of_output);
}

DJFAST_AVX512 std::size_t keep_avx512(std::string_view text, char* out) noexcept {
  return keep<mark_avx512>(text, out);
}
DJFAST_AVX2 std::size_t keep_avx2(std::string_view text, char* out) noexcept { return keep<mark_avx2>(text, out); }
#endif

}  // namespace

std::size_t keep_characters(std::string_view text, char* out) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return keep_avx512(text, out);
  if (active_isa() == Isa::avx2) return keep_avx2(text, out);
#endif
  return keep_serial(text, out);
}

}  // namespace djfast::kernels
