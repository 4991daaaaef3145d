// Where entries of a hash table go that is keyed by data: nobody who writes the data knows it.
//
// The seeds are drawn once a process, so that keys cannot be made to fall on each other. What a table answers must not
// depend on its places: they differ from run to run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/hash/mixing.hpp"

namespace djfast::kernels {

extern const std::array<std::uint64_t, 4> placement_seeds;

/// 64 bits, all of them good, for a 64-bit key.
inline std::uint64_t place_of(std::uint64_t key) noexcept {
  return fold(fold(key ^ placement_seeds[0], placement_seeds[1] | 1) ^ placement_seeds[2], mixing_numbers[0]);
}

/// The same for a key of two words.
inline std::uint64_t place_of(std::uint64_t first, std::uint64_t second) noexcept {
  return fold(first ^ placement_seeds[0], second ^ placement_seeds[1]) ^ place_of(second);
}

/// The same for bytes.
std::uint64_t place_of(std::string_view bytes) noexcept;

/// For the tables of the standard library.
struct Placed {
  std::size_t operator()(std::string_view bytes) const noexcept { return place_of(bytes); }
};

}  // namespace djfast::kernels
