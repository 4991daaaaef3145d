#include "kernels/text/segments.hpp"

#include "djfast/unicode.hpp"
#include "kernels/text/code_points.hpp"
#include "kernels/text/per_isa.hpp"

namespace djfast::kernels::text {
namespace {

bool ends_with_break(std::string_view text) noexcept {
  const auto last = static_cast<unsigned char>(text.back());
  if (last < 0x80) return (class_bits(last) & unicode::line_break) != 0;
  return text.ends_with("\xC2\x85") || text.ends_with("\xE2\x80\xA8") || text.ends_with("\xE2\x80\xA9");
}

#define DJFAST_KERNELS "kernels/text/segments.inl"
#include "kernels/text/each_isa.inl"
#undef DJFAST_KERNELS

}  // namespace

const SegmentKernels& segments() noexcept { return for_isa(avx512::kernels, avx2::kernels, serial::kernels); }

}  // namespace djfast::kernels::text
