// Hashes of runs of tokens, made from the hashes of the tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace djfast::kernels {

/// Replaces hash i of a token by that of the `window` tokens from i on: the polynomial over their hashes, the first one
/// at the highest power of `base`, modulo 2^64. The last `window` - 1 hashes keep arbitrary values. There are at least
/// `window` hashes.
void hash_runs(std::span<std::uint64_t> hashes, std::size_t window, std::uint64_t base) noexcept;

}  // namespace djfast::kernels
