// 64-bit hashes from products whose halves are folded together, as in wyhash; not for use against an adversary.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/dispatch.hpp"

namespace djfast::kernels {

/// Odd numbers without structure: fractional parts of the square roots of 2, 3, 5 and 7.
inline constexpr std::uint64_t mixing_numbers[4] = {0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B,
                                                    0xA54FF53A5F1D36F1};

/// Both halves of a * b, folded. Every bit of a result depends on every bit of the factors.
DJFAST_INLINE std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

DJFAST_INLINE std::uint64_t load_little_endian(const char* bytes) noexcept {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return value;
}

/// A hash of `size` bytes. Reads up to 16 bytes past them.
DJFAST_INLINE std::uint64_t hash_bytes(const char* bytes, std::size_t size, std::uint64_t seed) noexcept {
  std::uint64_t hash = fold(seed ^ size ^ mixing_numbers[0], mixing_numbers[1]);
  for (; size > 16; size -= 16, bytes += 16) {
    hash = fold(load_little_endian(bytes) ^ hash, load_little_endian(bytes + 8) ^ mixing_numbers[2]);
  }
  // Bytes past the end are shifted out; the shift goes in two steps because shifting by 64 is undefined.
  const std::size_t low_bytes = size < 8 ? size : 8;
  const std::size_t high_bytes = size - low_bytes;
  const auto keep = [](std::uint64_t value, std::size_t count) { return value & ~(~std::uint64_t{0} << 4 * count << 4 * count); };
  const std::uint64_t low = keep(load_little_endian(bytes), low_bytes);
  const std::uint64_t high = keep(load_little_endian(bytes + 8), high_bytes);
  return fold(low ^ hash, high ^ mixing_numbers[3]);
}

}  // namespace djfast::kernels
