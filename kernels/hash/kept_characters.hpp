// What exact deduplication keeps of a text: all but white space, decimal digits and ASCII punctuation.
#pragma once

#include <cstddef>
#include <string_view>

namespace djfast::kernels {

/// Writes the characters of valid UTF-8 that count and returns the number of bytes written. `out` needs room for the
/// text and 64 bytes more. Nothing is read past the text's end.
std::size_t keep_characters(std::string_view text, char* out) noexcept;

}  // namespace djfast::kernels
