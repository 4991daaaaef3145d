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

namespace serial {
#define DJFAST_TARGET
#define DJFAST_VECTOR_BITS 0
#include "kernels/text/block.inl"
#include "kernels/text/segments.inl"
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace serial

#if DJFAST_X86
namespace avx2 {
#define DJFAST_TARGET DJFAST_AVX2
#define DJFAST_VECTOR_BITS 256
#include "kernels/text/block.inl"
#include "kernels/text/segments.inl"
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace avx2

namespace avx512 {
#define DJFAST_TARGET DJFAST_AVX512
#define DJFAST_VECTOR_BITS 512
#include "kernels/text/block.inl"
#include "kernels/text/segments.inl"
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace avx512
#else
namespace avx2 = serial;
namespace avx512 = serial;
#endif

}  // namespace

const SegmentKernels& segments() noexcept { return for_isa(avx512::kernels, avx2::kernels, serial::kernels); }

}  // namespace djfast::kernels::text
