// The bodies of JSON strings: skip one while checking it, take its escapes out, put escapes in.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels::json {

/// How a walk over a string body ended.
enum class BodyEnd : std::uint8_t { quote, no_quote, control_character, bad_escape };

struct Body {
  const char* at;    // the closing quote, or where the body goes wrong
  BodyEnd end;
  bool has_escape;
};

/// One implementation of the three loops.
struct StringKernels {
  /// Walks a string body that starts at `at` to its closing quote, checking escapes and control characters.
  /// Reads nothing at or after `end`.
  Body (*skip)(const char* at, const char* end) noexcept;

  /// Writes the value of a body that `skip` has accepted; returns its end, or null when it has a lone surrogate.
  /// `end` is where readable memory ends, at or after the closing quote; `out` has room for the body and `slack` bytes.
  char* (*unescape)(const char* at, const char* end, char* out) noexcept;

  /// Writes the body of the JSON string for the text [at, end); `out` has room for 6 times its size and `slack` bytes.
  char* (*escape)(const char* at, const char* end, char* out) noexcept;
};

/// Bytes that `unescape` and `escape` may overwrite behind their result.
inline constexpr std::size_t slack = 64;

/// The implementation for the active instruction set.
const StringKernels& string_kernels() noexcept;

// A chunk answers which of its bytes end a run of plain string bytes: quote, backslash, control characters. `first`
// gives the position of the first such byte from the mask.

/// Eight bytes in a word.
struct WordChunk {
  using Mask = std::uint64_t;
  static constexpr std::ptrdiff_t width = 8;

  static Mask specials(const char* at) noexcept {
    static_assert(std::endian::native == std::endian::little);
    std::uint64_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    // Subtracting borrows only out of a byte that matches, so a false mark can only stand above a true one, and the
    // lowest mark is right.
    constexpr std::uint64_t ones = 0x0101010101010101;
    const std::uint64_t quote = bytes ^ ones * '"';
    const std::uint64_t backslash = bytes ^ ones * '\\';
    return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((bytes - ones * 0x20) & ~bytes)) &
           ones * 0x80;
  }
  static std::ptrdiff_t first(Mask mask) noexcept { return std::countr_zero(mask) >> 3; }
};

#if DJFAST_X86
/// Sixteen bytes, with instructions that every x86-64 processor has; inlined where strings are short.
struct ShortChunk {
  using Mask = std::uint32_t;
  static constexpr std::ptrdiff_t width = 16;

  static Mask specials(const char* at) noexcept {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    return static_cast<Mask>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)));
  }
  static std::ptrdiff_t first(Mask mask) noexcept { return std::countr_zero(mask); }
};
#else
using ShortChunk = WordChunk;
#endif

namespace tables {

/// The character that a two-character escape stands for, by its second character; 0 where there is none.
inline constexpr auto simple_escapes = [] {
  std::array<char, 256> table{};
  table['"'] = '"';
  table['\\'] = '\\';
  table['/'] = '/';
  table['b'] = '\b';
  table['f'] = '\f';
  table['n'] = '\n';
  table['r'] = '\r';
  table['t'] = '\t';
  return table;
}();

/// The value of a hexadecimal digit, negative for other bytes.
inline constexpr auto hex_digits = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (int digit = 0; digit < 10; ++digit) {
    table[static_cast<std::size_t>('0' + digit)] = static_cast<std::int8_t>(digit);
  }
  for (int digit = 0; digit < 6; ++digit) {
    table[static_cast<std::size_t>('a' + digit)] = static_cast<std::int8_t>(10 + digit);
    table[static_cast<std::size_t>('A' + digit)] = static_cast<std::int8_t>(10 + digit);
  }
  return table;
}();

/// What is written for a byte that a JSON string cannot hold as it is.
struct Escape {
  std::array<char, 8> bytes;  // padded, so that it is copied in one go
  std::size_t size;
};

inline constexpr auto escapes = [] {
  std::array<Escape, 256> table{};
  constexpr const char* digits = "0123456789abcdef";
  for (std::size_t c = 0; c < 0x20; ++c) {
    table[c] = {{'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6};
  }
  table['"'] = {{'\\', '"'}, 2};
  table['\\'] = {{'\\', '\\'}, 2};
  table['\b'] = {{'\\', 'b'}, 2};
  table['\f'] = {{'\\', 'f'}, 2};
  table['\n'] = {{'\\', 'n'}, 2};
  table['\r'] = {{'\\', 'r'}, 2};
  table['\t'] = {{'\\', 't'}, 2};
  return table;
}();

}  // namespace tables
}  // namespace djfast::kernels::json
