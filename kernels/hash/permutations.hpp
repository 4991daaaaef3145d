// MinHash under affine permutations: the least value of each permutation over a set of 32-bit hashes.
//
// A permutation sends h to the low 32 bits of ((h * a + b) mod 2^64) mod (2^61 - 1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace djfast::kernels {

/// Permutations come in groups of this many; a caller fills up the last group with any numbers and ignores its results.
constexpr std::size_t permutation_group = 16;

/// Hashes are taken in blocks of this many.
constexpr std::size_t hash_block = 16;

/// The numbers a and b of each permutation, with what their low halves give.
struct Permutations {
  std::span<const std::uint64_t> factors;         // a, a multiple of `permutation_group` of them
  std::span<const std::uint64_t> summands;        // b
  std::span<const std::uint32_t> low_factors;     // low half of a
  std::span<const std::uint32_t> raised_summands; // low half of b, plus 8
};

/// signature[i] = min(signature[i], least value of permutation i over the hashes). The number of hashes is a multiple of
/// `hash_block` (a caller repeats its last hash to get there), at most 4096.
void lower_signature(const Permutations& permutations, std::span<const std::uint32_t> hashes,
                     std::uint32_t* signature) noexcept;

}  // namespace djfast::kernels
