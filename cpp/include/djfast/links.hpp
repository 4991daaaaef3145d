// Pairs of keys that make their rows duplicates, without the groups that they form: what one rank of many can tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace djfast {

/// Key `other[i]` is linked to key `first[i]`, by their numbers.
struct Links {
  std::vector<std::uint32_t> first;
  std::vector<std::uint32_t> other;
};

/// Links every repeated key to the first one equal to it. `words` holds `width` (1 or 2) 64-bit words for each key.
Links links_of_equal(std::span<const std::uint64_t> words, std::size_t width);

/// Links 64-bit hashes that differ in at most `distance` bits, those at least that agree on the bits of `mask`: all that
/// are connected by such pairs are connected by links.
Links links_within(std::span<const std::uint64_t> hashes, int distance, std::uint64_t mask);

}  // namespace djfast
