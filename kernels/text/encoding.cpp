#include "kernels/text/encoding.hpp"

#include "djfast/unicode.hpp"
#include "kernels/text/code_points.hpp"
#include "kernels/text/per_isa.hpp"

namespace djfast::kernels::text {
namespace {

/// What the capital sigma at `at` becomes: final after a cased and not before a cased code point, both seen past
/// case-ignorable ones.
char32_t lower_sigma(std::string_view text, const char* at) noexcept {
  const auto is_cased = [](std::uint16_t classes) { return (classes & unicode::cased) != 0; };
  const auto is_ignorable = [](std::uint16_t classes) { return (classes & unicode::case_ignorable) != 0; };
  constexpr char32_t small = 0x3C3;
  constexpr char32_t final_small = 0x3C2;
  const char* before = at;
  std::uint16_t classes = unicode::case_ignorable;
  while (before != text.data() && is_ignorable(classes)) classes = class_bits(unicode::previous_code_point(before));
  if (!is_cased(classes)) return small;
  const char* end = text.data() + text.size();
  const char* after = at + 2;
  classes = unicode::case_ignorable;
  while (after != end && is_ignorable(classes)) classes = class_bits(unicode::next_code_point(after));
  return is_cased(classes) ? small : final_small;
}

#define DJFAST_KERNELS "kernels/text/encoding.inl"
#include "kernels/text/each_isa.inl"
#undef DJFAST_KERNELS

}  // namespace

const EncodingKernels& encoding() noexcept { return for_isa(avx512::kernels, avx2::kernels, serial::kernels); }

}  // namespace djfast::kernels::text
