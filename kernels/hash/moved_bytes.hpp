// Bytes of a block that move together where others between them go.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {

inline constexpr std::size_t moved_block = 64;

/// Writes the bytes of a block that `kept` has a bit for to `out`, and returns their end. Writes up to 8 bytes beyond.
DJFAST_INLINE char* move_together_serial(const char* block, std::uint64_t kept, char* out) noexcept {
  for (std::size_t i = 0; i < moved_block; ++i) {
    *out = block[i];
    out += kept >> i & 1;
  }
  return out;
}

#if DJFAST_X86
DJFAST_AVX2 inline char* move_together(const char* block, std::uint64_t kept, char* out) noexcept {
#pragma GCC unroll 8
  for (std::size_t i = 0; i < moved_block; i += 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, block + i, sizeof bytes);
    const std::uint64_t chosen = kept >> i & 0xFF;
    const std::uint64_t whole_bytes = _pdep_u64(chosen, 0x0101010101010101) * 0xFF;
    bytes = _pext_u64(bytes, whole_bytes);
    std::memcpy(out, &bytes, sizeof bytes);
    out += std::popcount(chosen);
  }
  return out;
}
#endif

}  // namespace djfast::kernels
