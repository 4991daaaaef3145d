#include "kernels/hash/similarity_sketch.hpp"

#include <algorithm>

#include "kernels/hash/mixing.hpp"

namespace djfast::kernels {
namespace {

constexpr std::uint64_t empty = ~std::uint64_t{0};

/// A hash whose two products are vectorised where the processor can.
DJFAST_INLINE std::uint64_t rehash(std::uint64_t element, std::uint64_t key) noexcept {
  std::uint64_t hash = (element ^ key) * mixing_numbers[1];
  hash ^= hash >> 32;
  return hash * mixing_numbers[3];
}

DJFAST_INLINE void throw_anywhere(std::span<const std::uint64_t> elements, std::uint64_t key, std::uint64_t round,
                                  std::span<std::uint64_t> bins) noexcept {
  constexpr std::size_t part = 256;
  std::uint64_t targets[part];
  std::uint64_t values[part];
  const std::uint64_t count = bins.size();
  for (; !elements.empty(); elements = elements.subspan(std::min(part, elements.size()))) {
    const std::size_t size = std::min(part, elements.size());
    for (std::size_t i = 0; i < size; ++i) {
      const std::uint64_t hash = rehash(elements[i], key);
      targets[i] = (hash >> 32) * count >> 32;
      values[i] = round << 32 | ((hash ^ hash >> 32) & 0xFFFFFFFF);
    }
    for (std::size_t i = 0; i < size; ++i) {
      std::uint64_t& bin = bins[targets[i]];
      bin = std::min(bin, values[i]);
    }
  }
}

DJFAST_INLINE void throw_into(std::span<const std::uint64_t> elements, std::uint64_t key, std::uint64_t round,
                              std::uint64_t& bin) noexcept {
  for (const std::uint64_t element : elements) {
    const std::uint64_t hash = rehash(element, key);
    bin = std::min(bin, round << 32 | ((hash ^ hash >> 32) & 0xFFFFFFFF));
  }
}

DJFAST_INLINE bool has_empty(std::span<const std::uint64_t> bins) noexcept {
  std::uint64_t largest = 0;
  for (const std::uint64_t bin : bins) largest = std::max(largest, bin);
  return largest == empty;
}

DJFAST_INLINE void sketch(std::span<const std::uint64_t> elements, std::uint64_t seed,
                          std::span<std::uint64_t> bins) noexcept {
  std::fill(bins.begin(), bins.end(), empty);
  for (std::uint64_t round = 0; round < 2 * bins.size(); ++round) {
    const std::uint64_t key = fold(seed + (round + 1) * mixing_numbers[2], mixing_numbers[3]);
    if (round < bins.size()) {
      throw_anywhere(elements, key, round, bins);
      if (!has_empty(bins)) return;
    } else if (std::uint64_t& bin = bins[round - bins.size()]; bin == empty) {
      throw_into(elements, key, round, bin);
    }
  }
}

#if DJFAST_X86
DJFAST_AVX512 void sketch_avx512(std::span<const std::uint64_t> elements, std::uint64_t seed,
                                 std::span<std::uint64_t> bins) noexcept {
  sketch(elements, seed, bins);
}
DJFAST_AVX2 void sketch_avx2(std::span<const std::uint64_t> elements, std::uint64_t seed,
                             std::span<std::uint64_t> bins) noexcept {
  sketch(elements, seed, bins);
}
#endif

}  // namespace

void sketch_set(std::span<const std::uint64_t> elements, std::uint64_t seed, std::span<std::uint64_t> bins) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return sketch_avx512(elements, seed, bins);
  if (active_isa() == Isa::avx2) return sketch_avx2(elements, seed, bins);
#endif
  sketch(elements, seed, bins);
}

}  // namespace djfast::kernels
