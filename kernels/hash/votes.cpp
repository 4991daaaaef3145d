#include "kernels/hash/votes.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/dispatch.hpp"

namespace djfast::kernels {
namespace {

using Longs4 [[gnu::vector_size(32)]] = std::uint64_t;
using Longs8 [[gnu::vector_size(64)]] = std::uint64_t;

/// Counter j holds eight byte counters: those of the bits j, j + 8, j + 16, ... A byte counts up to 255 hashes before it
/// is emptied.
template <class Longs>
DJFAST_INLINE void count(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept {
  constexpr std::size_t byte_limit = 255;
  constexpr std::uint64_t each_byte = 0x0101010101010101;
  constexpr std::size_t lanes = sizeof(Longs) / sizeof(std::uint64_t);
  constexpr std::size_t parts = 8 / lanes;
  Longs shifts[parts];
  for (std::uint64_t j = 0; j < 8; ++j) {
    if constexpr (lanes == 1) {
      shifts[j] = j;
    } else {
      shifts[j / lanes][j % lanes] = j;
    }
  }
  for (std::size_t at = 0; at < hashes.size(); at += byte_limit) {
    Longs counters[parts] = {};
    for (const std::uint64_t hash : hashes.subspan(at, std::min(byte_limit, hashes.size() - at))) {
#pragma GCC unroll 8
      for (std::size_t part = 0; part < parts; ++part) counters[part] += ((Longs{} + hash) >> shifts[part]) & each_byte;
    }
    std::uint64_t bytes[8];
    std::memcpy(bytes, counters, sizeof bytes);
    for (int bit = 0; bit < 64; ++bit) counts[bit] += bytes[bit % 8] >> (bit / 8 * 8) & 0xFF;
  }
}

#if DJFAST_X86
DJFAST_AVX512 void count_avx512(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept {
  count<Longs8>(hashes, counts);
}
DJFAST_AVX2 void count_avx2(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept {
  count<Longs4>(hashes, counts);
}
#endif

}  // namespace

void count_bits(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return count_avx512(hashes, counts);
  if (active_isa() == Isa::avx2) return count_avx2(hashes, counts);
#endif
  count<std::uint64_t>(hashes, counts);
}

}  // namespace djfast::kernels
