// Counting and cutting texts: code points, classes, lines and words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace djfast::kernels::text {

struct SegmentKernels {
  std::size_t (*count_code_points)(std::string_view text) noexcept;

  /// Code points that str.isalnum, str.isalpha, or the list of special characters says yes to.
  std::size_t (*count_alnum)(std::string_view text) noexcept;
  std::size_t (*count_alpha)(std::string_view text) noexcept;
  std::size_t (*count_special)(std::string_view text) noexcept;

  /// Number of lines as str.splitlines cuts them.
  std::size_t (*count_lines)(std::string_view text) noexcept;

  /// Code points of each of those lines, without the separators; returns the end. `lengths` has room for the text's
  /// size + 2 numbers.
  std::uint64_t* (*line_lengths)(std::string_view text, std::uint64_t* lengths) noexcept;

  /// Number of words: maximal runs without space, LF and TAB that hold a code point that is not special.
  std::size_t (*count_words)(std::string_view text) noexcept;

  /// Start and end byte of each of those words, from its first code point that is not special on. Of special characters
  /// at its end some may be left. `edges` has room for the text's size + 65 entries; returns the end, an even number of
  /// entries.
  std::uint32_t* (*word_edges)(std::string_view text, std::uint32_t* edges) noexcept;
};

const SegmentKernels& segments() noexcept;

}  // namespace djfast::kernels::text
