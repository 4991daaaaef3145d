#include "kernels/hash/similarity_sketch.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "kernels/hash/mixing.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

#if DJFAST_X86
using Longs8 [[gnu::vector_size(64)]] = std::uint64_t;
#endif

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
    // In the first round any element may be a bin's least so far: no branch. Later most bins are full.
    for (std::size_t i = 0; i < size; ++i) {
      std::uint64_t& bin = bins[targets[i]];
      if (round == 0) {
        // Compilers make a branch of std::min here, which is mispredicted too often.
        const std::uint64_t is_less = values[i] < bin ? 1 : 0;
        bin ^= (bin ^ values[i]) & (0 - is_less);
      } else if (values[i] < bin) [[unlikely]] {
        bin = values[i];
      }
    }
  }
}

#if DJFAST_X86
constexpr std::size_t most_mapped_bins = 512;

DJFAST_INLINE unsigned char first_lanes(std::size_t count) noexcept {
  return static_cast<unsigned char>(count < 8 ? (1U << count) - 1 : 0xFF);
}

/// `throw_anywhere` for rounds after the first and up to `most_mapped_bins` bins: only bins that are still empty can
/// change then, and a map of them in one register sorts out the elements that miss them.
DJFAST_AVX512 inline void throw_at_empty_avx512(std::span<const std::uint64_t> elements, std::uint64_t key,
                                                std::uint64_t round, std::span<std::uint64_t> bins) noexcept {
  std::array<std::uint64_t, most_mapped_bins / 64> map{};
  for (std::size_t i = 0; i < bins.size(); i += 8) {
    const __mmask8 within = first_lanes(bins.size() - i);
    const __m512i some = _mm512_maskz_loadu_epi64(within, bins.data() + i);
    const std::uint64_t are_empty = _mm512_cmpeq_epi64_mask(some, _mm512_set1_epi64(-1));
    map[i / 64] |= are_empty << i % 64;
  }
  const __m512i empty_bins = _mm512_loadu_si512(map.data());
  const __m512i keys = _mm512_set1_epi64(static_cast<long long>(key));
  const __m512i count = _mm512_set1_epi64(static_cast<long long>(bins.size()));
  const __m512i low_half = _mm512_set1_epi64(0xFFFFFFFF);
  const __m512i rounds = _mm512_set1_epi64(static_cast<long long>(round << 32));
  const __m512i first_factor = _mm512_set1_epi64(static_cast<long long>(mixing_numbers[1]));
  const __m512i second_factor = _mm512_set1_epi64(static_cast<long long>(mixing_numbers[3]));
  for (std::size_t i = 0; i < elements.size(); i += 8) {
    const __mmask8 within = first_lanes(elements.size() - i);
    __m512i hash = _mm512_maskz_loadu_epi64(within, elements.data() + i);
    hash = _mm512_mullo_epi64(hash ^ keys, first_factor);
    hash = _mm512_mullo_epi64(hash ^ reinterpret_cast<__m512i>(reinterpret_cast<Longs8>(hash) >> 32), second_factor);
    const auto high = reinterpret_cast<__m512i>(reinterpret_cast<Longs8>(hash) >> 32);
    const auto product = reinterpret_cast<Longs8>(_mm512_maskz_mul_epu32(0xFF, high, count));
    const auto targets = reinterpret_cast<__m512i>(product >> 32);
    const auto words = reinterpret_cast<__m512i>(product >> 38);
    const __m512i word = _mm512_maskz_permutexvar_epi64(0xFF, words, empty_bins);
    const __m512i bits = _mm512_maskz_rorv_epi64(0xFF, word, targets);
    unsigned hits = _mm512_mask_test_epi64_mask(within, bits, _mm512_set1_epi64(1));
    if (hits == 0) continue;
    alignas(64) std::uint64_t target[8];
    alignas(64) std::uint64_t value[8];
    _mm512_store_si512(target, targets);
    _mm512_store_si512(value, rounds | ((hash ^ high) & low_half));
    for (; hits != 0; hits &= hits - 1) {
      const int lane = std::countr_zero(hits);
      std::uint64_t& bin = bins[target[lane]];
      bin = std::min(bin, value[lane]);
    }
  }
}
#endif

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

using ThrowAgain = void (*)(std::span<const std::uint64_t>, std::uint64_t, std::uint64_t,
                            std::span<std::uint64_t>) noexcept;

/// `throw_again` does rounds after the first.
template <ThrowAgain throw_again>
DJFAST_INLINE void sketch(std::span<const std::uint64_t> elements, std::uint64_t seed,
                          std::span<std::uint64_t> bins) noexcept {
  std::fill(bins.begin(), bins.end(), empty);
  for (std::uint64_t round = 0; round < 2 * bins.size(); ++round) {
    const std::uint64_t key = fold(seed + (round + 1) * mixing_numbers[2], mixing_numbers[3]);
    if (round < bins.size()) {
      if (round == 0) {
        throw_anywhere(elements, key, round, bins);
      } else {
        throw_again(elements, key, round, bins);
      }
      // Fewer throws than bins leave one empty.
      if ((round + 1) * elements.size() >= bins.size() && !has_empty(bins)) return;
    } else if (std::uint64_t& bin = bins[round - bins.size()]; bin == empty) {
      throw_into(elements, key, round, bin);
    }
  }
}

void throw_again_serial(std::span<const std::uint64_t> elements, std::uint64_t key, std::uint64_t round,
                        std::span<std::uint64_t> bins) noexcept {
  throw_anywhere(elements, key, round, bins);
}

#if DJFAST_X86
DJFAST_AVX512 void throw_again_avx512(std::span<const std::uint64_t> elements, std::uint64_t key, std::uint64_t round,
                                      std::span<std::uint64_t> bins) noexcept {
  if (bins.size() <= most_mapped_bins) return throw_at_empty_avx512(elements, key, round, bins);
  throw_anywhere(elements, key, round, bins);
}
DJFAST_AVX2 void throw_again_avx2(std::span<const std::uint64_t> elements, std::uint64_t key, std::uint64_t round,
                                  std::span<std::uint64_t> bins) noexcept {
  throw_anywhere(elements, key, round, bins);
}
DJFAST_AVX512 void sketch_avx512(std::span<const std::uint64_t> elements, std::uint64_t seed,
                                 std::span<std::uint64_t> bins) noexcept {
  sketch<throw_again_avx512>(elements, seed, bins);
}
DJFAST_AVX2 void sketch_avx2(std::span<const std::uint64_t> elements, std::uint64_t seed,
                             std::span<std::uint64_t> bins) noexcept {
  sketch<throw_again_avx2>(elements, seed, bins);
}
#endif

}  // namespace

void sketch_set(std::span<const std::uint64_t> elements, std::uint64_t seed, std::span<std::uint64_t> bins) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return sketch_avx512(elements, seed, bins);
  if (active_isa() == Isa::avx2) return sketch_avx2(elements, seed, bins);
#endif
  sketch<throw_again_serial>(elements, seed, bins);
}

}  // namespace djfast::kernels
