#include "kernels/hash/similarity_sketch.hpp"

#include <algorithm>

#include "kernels/hash/mixing.hpp"

namespace djfast::kernels {
namespace {

constexpr std::uint64_t empty = ~std::uint64_t{0};

void throw_anywhere(std::span<const std::uint64_t> elements, std::uint64_t key, std::uint64_t round,
                    std::span<std::uint64_t> bins) noexcept {
  const std::uint64_t count = bins.size();
  for (const std::uint64_t element : elements) {
    const std::uint64_t hash = fold(element ^ key, mixing_numbers[1]);
    std::uint64_t& bin = bins[(hash >> 32) * count >> 32];
    bin = std::min(bin, round << 32 | (hash & 0xFFFFFFFF));
  }
}

void throw_into(std::span<const std::uint64_t> elements, std::uint64_t key, std::uint64_t round, std::uint64_t& bin) noexcept {
  for (const std::uint64_t element : elements) {
    bin = std::min(bin, round << 32 | (fold(element ^ key, mixing_numbers[1]) & 0xFFFFFFFF));
  }
}

}  // namespace

void sketch_set(std::span<const std::uint64_t> elements, std::uint64_t seed, std::span<std::uint64_t> bins) noexcept {
  std::ranges::fill(bins, empty);
  for (std::uint64_t round = 0; round < 2 * bins.size(); ++round) {
    const std::uint64_t key = fold(seed + (round + 1) * mixing_numbers[2], mixing_numbers[3]);
    if (round < bins.size()) {
      throw_anywhere(elements, key, round, bins);
    } else if (std::uint64_t& bin = bins[round - bins.size()]; bin == empty) {
      throw_into(elements, key, round, bin);
      continue;
    }
    if (std::ranges::count(bins, empty) == 0) return;
  }
}

}  // namespace djfast::kernels
