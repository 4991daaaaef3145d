// Fast similarity sketches: MinHash signatures in time linear in the set, however many values a signature has.
//
// Each element is thrown into one bin per round, with a random value; a bin keeps its least value. Rounds go on until no
// bin is empty, so a set about as large as the number of bins needs a few rounds and a large one needs one. The last
// rounds throw every element into one fixed bin each, so they end. A value carries its round in the upper half: values of
// later rounds are larger, hence the sketch of a union is the minimum of the sketches, and the share of equal bins
// estimates the Jaccard similarity as well as as many independent permutations would: its standard error is at most about
// 1 / sqrt(bins).
//
// S. Dahlgaard, M. B. T. Knudsen, M. Thorup, "Fast Similarity Sketching", FOCS 2017.
#pragma once

#include <cstdint>
#include <span>

namespace djfast::kernels {

/// The sketch of the set of `elements` (64-bit hashes; order and repeats do not matter; at least one), one value per bin.
void sketch_set(std::span<const std::uint64_t> elements, std::uint64_t seed, std::span<std::uint64_t> bins) noexcept;

}  // namespace djfast::kernels
