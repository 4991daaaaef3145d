// Code points, their classes and their case: the answers of Python's `str` and of the `regex` package.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "djfast/arena.hpp"

namespace djfast::unicode {

/// Classes of a code point, one bit each.
enum Class : std::uint16_t {
  alpha = 1 << 0,             // str.isalpha: Lu Ll Lt Lm Lo
  alnum = 1 << 1,             // str.isalnum as the spec's P-alnum: the above, Nd, Nl, No
  space = 1 << 2,             // str.isspace: what str.strip removes
  special = 1 << 3,           // Data-Juicer's special characters (spec text-ops, appendix A)
  line_break = 1 << 4,        // str.splitlines separators
  regex_word = 1 << 5,        // \w of the regex package
  regex_space = 1 << 6,       // \s of the regex package
  regex_digit = 1 << 7,       // \d of the regex package
  regex_punctuation = 1 << 8, // \p{P} of the regex package
  cased = 1 << 9,             // for the final-sigma rule
  case_ignorable = 1 << 10,   // for the final-sigma rule
  lower_changes = 1 << 11,    // str.lower changes it
};

/// Classes of a code point (0 for values above U+10FFFF).
std::uint16_t classes_of(char32_t code_point) noexcept;

/// Decodes the code point at `at` and moves past it. The bytes must be valid UTF-8 and `at` at a code point's start.
inline char32_t next_code_point(const char*& at) noexcept {
  const auto byte = [&](int i) { return static_cast<char32_t>(static_cast<unsigned char>(at[i])); };
  const char32_t first = byte(0);
  char32_t code_point = first;
  if (first < 0x80) {
    at += 1;
  } else if (first < 0xE0) {
    code_point = (first & 0x1F) << 6 | (byte(1) & 0x3F);
    at += 2;
  } else if (first < 0xF0) {
    code_point = (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    at += 3;
  } else {
    code_point = (first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    at += 4;
  }
  return code_point;
}

/// Decodes the code point that ends before `end` and moves `end` to its start.
inline char32_t previous_code_point(const char*& end) noexcept {
  do --end;
  while ((static_cast<unsigned char>(*end) & 0xC0) == 0x80);
  const char* at = end;
  return next_code_point(at);
}

/// Writes a code point as UTF-8 (1 to 4 bytes) and returns the new end.
inline char* append_utf8(char* out, char32_t c) noexcept {
  if (c < 0x80) {
    *out++ = static_cast<char>(c);
  } else if (c < 0x800) {
    *out++ = static_cast<char>(0xC0 | c >> 6);
    *out++ = static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *out++ = static_cast<char>(0xE0 | c >> 12);
    *out++ = static_cast<char>(0x80 | (c >> 6 & 0x3F));
    *out++ = static_cast<char>(0x80 | (c & 0x3F));
  } else {
    *out++ = static_cast<char>(0xF0 | c >> 18);
    *out++ = static_cast<char>(0x80 | (c >> 12 & 0x3F));
    *out++ = static_cast<char>(0x80 | (c >> 6 & 0x3F));
    *out++ = static_cast<char>(0x80 | (c & 0x3F));
  }
  return out;
}

/// True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_valid_utf8(std::string_view bytes) noexcept;

/// True when no byte is 0x80 or above.
bool is_ascii(std::string_view text) noexcept;

/// Python's str.lower: full mapping with the final-sigma rule. Returns `text` itself when nothing changes.
std::string_view lower(std::string_view text, Arena& arena);

/// Python's str.strip: `text` without leading and trailing `space` code points; a view into it.
std::string_view strip(std::string_view text) noexcept;

/// `text` without leading and trailing code points of a class; a view into it.
std::string_view strip_class(std::string_view text, std::uint16_t classes) noexcept;

}  // namespace djfast::unicode
