// SimHash: the majority of each bit over many 64-bit hashes.
#pragma once

#include <cstdint>
#include <span>

namespace djfast::kernels {

/// counts[bit] += number of hashes that have the bit.
void count_bits(std::span<const std::uint64_t> hashes, std::uint64_t* counts) noexcept;

}  // namespace djfast::kernels
