#include "kernels/hash/slices.hpp"

#include <algorithm>
#include <bit>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

// A block less the byte that ends a message and the eight of its length.
constexpr std::uint32_t one_block = 55;
constexpr std::uint32_t two_blocks = 119;

void list_serial(const std::uint32_t* bounds, std::size_t count, std::size_t window, SliceLists& lists) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    // Written to all three lists and kept in one: lengths are too irregular for a branch.
    const std::uint32_t start = bounds[2 * i];
    const Slice slice{start, bounds[2 * (i + window) - 1] - start};
    *lists.one = *lists.two = *lists.more = slice;
    lists.one += slice.size <= one_block ? 1 : 0;
    lists.two += slice.size > one_block && slice.size <= two_blocks ? 1 : 0;
    lists.more += slice.size > two_blocks ? 1 : 0;
  }
}

#if DJFAST_X86
DJFAST_AVX512 inline void append_avx512(Slice*& list, __mmask8 chosen, __m512i slices) noexcept {
  _mm512_storeu_si512(list, _mm512_maskz_compress_epi64(chosen, slices));
  list += std::popcount(static_cast<unsigned>(chosen));
}

DJFAST_AVX512 void list_avx512(const std::uint32_t* bounds, std::size_t count, std::size_t window,
                               SliceLists& lists) noexcept {
  constexpr __mmask16 starts = 0x5555;
  for (std::size_t i = 0; i < count; i += 8) {
    const auto left = static_cast<unsigned>(std::min<std::size_t>(count - i, 8));
    const auto inside = static_cast<__mmask8>(_bzhi_u32(0xFF, left));
    // Pairs of start and end: of the first tokens, and of the last ones.
    const __m512i first = _mm512_maskz_loadu_epi64(inside, bounds + 2 * i);
    const __m512i last = _mm512_maskz_loadu_epi64(inside, bounds + 2 * (i + window - 1));
    const __m512i sizes = _mm512_sub_epi32(last, _mm512_slli_epi64(first, 32));  // in the upper halves
    const __m512i slices = _mm512_mask_blend_epi32(starts, sizes, first);
    const __m512i size = _mm512_srli_epi64(sizes, 32);
    const __mmask8 is_one = _mm512_mask_cmple_epu64_mask(inside, size, _mm512_set1_epi64(one_block));
    const __mmask8 is_more = _mm512_mask_cmpgt_epu64_mask(inside, size, _mm512_set1_epi64(two_blocks));
    append_avx512(lists.one, is_one, slices);
    append_avx512(lists.two, static_cast<__mmask8>(inside & ~is_one & ~is_more), slices);
    append_avx512(lists.more, is_more, slices);
  }
}
#endif

}  // namespace

void list_slices(const std::uint32_t* bounds, std::size_t count, std::size_t window, SliceLists& lists) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return list_avx512(bounds, count, window, lists);
#endif
  list_serial(bounds, count, window, lists);
}

}  // namespace djfast::kernels
