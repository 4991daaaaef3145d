// Code points, their classes and their case, on the generated tables.
#include "djfast/unicode.hpp"

#include <cstring>

#include "kernels/text/code_points.hpp"
#include "kernels/text/encoding.hpp"

namespace djfast::unicode {

std::uint16_t classes_of(char32_t code_point) noexcept {
  return code_point < 0x110000 ? kernels::text::class_bits(code_point) : 0;
}

bool is_valid_utf8(std::string_view bytes) noexcept { return kernels::text::encoding().is_valid_utf8(bytes); }

bool is_ascii(std::string_view text) noexcept { return kernels::text::encoding().is_ascii(text); }

std::string_view lower(std::string_view text, Arena& arena) {
  const auto& encoding = kernels::text::encoding();
  const std::size_t unchanged = encoding.first_upper(text);
  if (unchanged == text.size()) return text;
  char* out = arena.reserve(text.size() + text.size() / 2 + 64);
  if (unchanged != 0) std::memcpy(out, text.data(), unchanged);
  const auto size = static_cast<std::size_t>(encoding.lower(text, unchanged, out + unchanged) - out);
  arena.commit(size);
  return {out, size};
}

std::string_view strip(std::string_view text) noexcept { return strip_class(text, space); }

std::string_view strip_class(std::string_view text, std::uint16_t classes) noexcept {
  const char* start = text.data();
  const char* end = start + text.size();
  while (start != end) {
    const char* next = start;
    if ((kernels::text::class_bits(next_code_point(next)) & classes) == 0) break;
    start = next;
  }
  while (start != end) {
    const char* before = end;
    if ((kernels::text::class_bits(previous_code_point(before)) & classes) == 0) break;
    end = before;
  }
  return {start, static_cast<std::size_t>(end - start)};
}

}  // namespace djfast::unicode
