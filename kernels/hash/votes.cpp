#include "kernels/hash/votes.hpp"

#include <algorithm>

#include "kernels/dispatch.hpp"

namespace djfast::kernels {
namespace {

using Longs8 [[gnu::vector_size(64)]] = std::uint64_t;

/// Lane j of the counter vector holds eight byte counters: those of the bits j, j + 8, j + 16, ... A byte counts up to
/// 255 hashes before it is emptied.
DJFAST_INLINE void count(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept {
  constexpr std::size_t byte_limit = 255;
  constexpr std::uint64_t each_byte = 0x0101010101010101;
  constexpr Longs8 shifts = {0, 1, 2, 3, 4, 5, 6, 7};
  for (std::size_t at = 0; at < hashes.size(); at += byte_limit) {
    const auto part = hashes.subspan(at, std::min(byte_limit, hashes.size() - at));
    Longs8 counters = {};
    for (const std::uint64_t hash : part) counters += ((Longs8{} + hash) >> shifts) & each_byte;
    for (int bit = 0; bit < 64; ++bit) counts[bit] += counters[bit % 8] >> (bit / 8 * 8) & 0xFF;
  }
}

#if DJFAST_X86
DJFAST_AVX512 void count_avx512(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept {
  count(hashes, counts);
}
DJFAST_AVX2 void count_avx2(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept {
  count(hashes, counts);
}
#endif

}  // namespace

void count_bits(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return count_avx512(hashes, counts);
  if (active_isa() == Isa::avx2) return count_avx2(hashes, counts);
#endif
  count(hashes, counts);
}

}  // namespace djfast::kernels
