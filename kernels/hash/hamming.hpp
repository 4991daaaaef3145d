// Search of 64-bit hashes by the number of bits in which they differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace djfast::kernels {

/// The first index of `others` whose hash differs from `hash` in at most `distance` bits; others.size() when none does.
std::size_t find_within(std::uint64_t hash, std::span<const std::uint64_t> others, int distance) noexcept;

}  // namespace djfast::kernels
