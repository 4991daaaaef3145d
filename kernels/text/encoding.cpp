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

namespace serial {
#define DJFAST_TARGET
#define DJFAST_VECTOR_BITS 0
#include "kernels/text/block.inl"
#include "kernels/text/encoding.inl"
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace serial

#if DJFAST_X86
namespace avx2 {
#define DJFAST_TARGET DJFAST_AVX2
#define DJFAST_VECTOR_BITS 256
#include "kernels/text/block.inl"
#include "kernels/text/encoding.inl"
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace avx2

namespace avx512 {
#define DJFAST_TARGET DJFAST_AVX512
#define DJFAST_VECTOR_BITS 512
#include "kernels/text/block.inl"
#include "kernels/text/encoding.inl"
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace avx512
#else
namespace avx2 = serial;
namespace avx512 = serial;
#endif

}  // namespace

const EncodingKernels& encoding() noexcept { return for_isa(avx512::kernels, avx2::kernels, serial::kernels); }

}  // namespace djfast::kernels::text
