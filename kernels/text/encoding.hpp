// What UTF-8 bytes say before anybody looks at characters: validity, and lower case of whole texts.
#pragma once

#include <cstddef>
#include <string_view>

namespace djfast::kernels::text {

struct EncodingKernels {
  /// No byte of 0x80 or above.
  bool (*is_ascii)(std::string_view bytes) noexcept;

  /// Well-formed UTF-8: no surrogates, no overlong forms, nothing above U+10FFFF.
  bool (*is_valid_utf8)(std::string_view bytes) noexcept;

  /// Index of the first code point that str.lower changes, rounded down by up to 63 bytes to a code point's start;
  /// the size of `text` when there is none.
  std::size_t (*first_upper)(std::string_view text) noexcept;

  /// str.lower of `text` from byte `start` on, into `out`; returns the end. The final-sigma rule sees all of `text`.
  /// Writes at most 64 bytes more than half as much again as the bytes lowered.
  char* (*lower)(std::string_view text, std::size_t start, char* out) noexcept;
};

const EncodingKernels& encoding() noexcept;

}  // namespace djfast::kernels::text
