#include "kernels/hash/hamming.hpp"

#include <bit>

#include "kernels/dispatch.hpp"

namespace djfast::kernels {
namespace {

DJFAST_INLINE std::size_t find(std::uint64_t hash, std::span<const std::uint64_t> others, int distance) noexcept {
  std::size_t i = 0;
  // Eight at a time: a branch for each costs more than its comparison.
  for (; i + 8 <= others.size(); i += 8) {
    bool any = false;
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) any |= std::popcount(hash ^ others[i + j]) <= distance;
    if (any) break;
  }
  while (i < others.size() && std::popcount(hash ^ others[i]) > distance) ++i;
  return i;
}

#if DJFAST_X86
// For the popcnt instruction.
DJFAST_AVX2 std::size_t find_popcnt(std::uint64_t hash, std::span<const std::uint64_t> others, int distance) noexcept {
  return find(hash, others, distance);
}
#endif

}  // namespace

std::size_t find_within(std::uint64_t hash, std::span<const std::uint64_t> others, int distance) noexcept {
#if DJFAST_X86
  if (active_isa() != Isa::serial) return find_popcnt(hash, others, distance);
#endif
  return find(hash, others, distance);
}

}  // namespace djfast::kernels
