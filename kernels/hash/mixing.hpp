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

namespace mixing_detail {
/// Sixteen bytes of ones, then sixteen of zeros: the 16 bytes from 16 - n on keep n bytes.
alignas(64) inline constexpr unsigned char kept_bytes[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                             255, 255, 255, 255, 255, 255, 255, 255};
}  // namespace mixing_detail

/// A hash of `size` bytes. Reads up to 16 bytes past them.
DJFAST_INLINE std::uint64_t hash_bytes(const char* bytes, std::size_t size, std::uint64_t seed) noexcept {
  std::uint64_t hash = seed + size * mixing_numbers[0];
  for (; size > 16; size -= 16, bytes += 16) {
    hash = fold(load_little_endian(bytes) ^ hash, load_little_endian(bytes + 8) ^ mixing_numbers[2]);
  }
  const char* kept = reinterpret_cast<const char*>(mixing_detail::kept_bytes) + 16 - size;
  const std::uint64_t low = load_little_endian(bytes) & load_little_endian(kept);
  const std::uint64_t high = load_little_endian(bytes + 8) & load_little_endian(kept + 8);
  return fold(low ^ hash, high ^ mixing_numbers[3]);
}

}  // namespace djfast::kernels
