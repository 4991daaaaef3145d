// Exact values cost a 64-bit product each, but only the least one counts. Let x = h * a + b mod 2^64 and low(x) its low
// half. Then x mod (2^61 - 1) = (x mod 2^61) + (x >> 61), less 2^61 - 1 in one rare case, so its low half is
// low(x) + t mod 2^32 with t in 0..8. With u = low(x) + 8 mod 2^32, which needs 32-bit arithmetic only, a value is at
// most 8 below its u (when u >= 8, so that nothing wraps). So if m, the least u, is at least 8, the least value belongs to
// a hash with u <= m + 8. Those few are recomputed exactly; all hashes are when m < 8.
#include "kernels/hash/permutations.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/dispatch.hpp"

namespace djfast::kernels {
namespace {

constexpr std::uint64_t prime = (std::uint64_t{1} << 61) - 1;
constexpr std::uint32_t slack = 8;
constexpr std::size_t most_blocks = 4096 / hash_block;

using Words8 [[gnu::vector_size(32)]] = std::uint32_t;
using Words16 [[gnu::vector_size(64)]] = std::uint32_t;
using Longs4 [[gnu::vector_size(32)]] = std::uint64_t;
using Longs8 [[gnu::vector_size(64)]] = std::uint64_t;

template <class Word>
DJFAST_INLINE Word smaller(Word a, Word b) noexcept {
  return a < b ? a : b;
}

/// The least exact value of one permutation over one block of hashes.
template <class Long>
DJFAST_INLINE std::uint32_t least_in_block(std::uint64_t factor, std::uint64_t summand, const std::uint32_t* hashes) noexcept {
  constexpr std::size_t lanes = sizeof(Long) / sizeof(std::uint64_t);
  using Half [[gnu::vector_size(sizeof(Long) / 2)]] = std::uint32_t;
  Long least = Long{} + 0xFFFFFFFFU;
#pragma GCC unroll 8
  for (std::size_t at = 0; at < hash_block; at += lanes) {
    Half narrow;
    std::memcpy(&narrow, hashes + at, sizeof narrow);
    const Long x = __builtin_convertvector(narrow, Long) * factor + summand;
    Long value = (x & prime) + (x >> 61);
    value -= value >= prime ? Long{} + prime : Long{};
    least = smaller(least, Long(value & 0xFFFFFFFFU));
  }
  std::uint64_t result = least[0];
#pragma GCC unroll 8
  for (std::size_t lane = 1; lane < lanes; ++lane) result = std::min<std::uint64_t>(result, least[lane]);
  return static_cast<std::uint32_t>(result);
}

template <class Word, class Long>
DJFAST_INLINE void lower_group(const Permutations& permutations, std::size_t group, std::span<const std::uint32_t> hashes,
                               std::uint32_t* signature) noexcept {
  constexpr std::size_t lanes = sizeof(Word) / sizeof(std::uint32_t);
  constexpr std::size_t parts = permutation_group / lanes;
  const std::size_t blocks = hashes.size() / hash_block;
  alignas(64) std::uint32_t block_minima[most_blocks][permutation_group];
  alignas(64) std::uint32_t best_block[permutation_group];
  alignas(64) std::uint32_t least[permutation_group];
  alignas(64) std::uint32_t runner_up[permutation_group];  // least block minimum of the other blocks
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t first = part * lanes;
    Word factors;
    Word summands;
    std::memcpy(&factors, permutations.low_factors.data() + group + first, sizeof factors);
    std::memcpy(&summands, permutations.raised_summands.data() + group + first, sizeof summands);
    Word best = Word{} + 0xFFFFFFFFU;
    Word second = best;
    Word where = Word{};
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::uint32_t* at = hashes.data() + block * hash_block;
      // Two chains of minima hide the latency of comparing.
      Word even = Word{} + 0xFFFFFFFFU;
      Word odd = even;
#pragma GCC unroll 16
      for (std::size_t i = 0; i < hash_block; i += 2) {
        even = smaller(even, Word(factors * at[i] + summands));
        odd = smaller(odd, Word(factors * at[i + 1] + summands));
      }
      const Word minimum = smaller(even, odd);
      std::memcpy(&block_minima[block][first], &minimum, sizeof minimum);
      second = smaller(second, minimum < best ? best : minimum);
      where = minimum < best ? Word{} + static_cast<std::uint32_t>(block) : where;
      best = smaller(best, minimum);
    }
    std::memcpy(best_block + first, &where, sizeof where);
    std::memcpy(least + first, &best, sizeof best);
    std::memcpy(runner_up + first, &second, sizeof second);
  }
  for (std::size_t lane = 0; lane < permutation_group; ++lane) {
    const std::size_t i = group + lane;
    const std::uint32_t minimum = least[lane];
    if (minimum >= slack && minimum - slack >= signature[i]) continue;
    const bool wraps = minimum < slack || minimum > 0xFFFFFFFFU - slack;
    const std::uint32_t bound = wraps ? 0xFFFFFFFFU : minimum + slack;
    const std::uint64_t factor = permutations.factors[i];
    const std::uint64_t summand = permutations.summands[i];
    std::uint32_t value = least_in_block<Long>(factor, summand, hashes.data() + best_block[lane] * hash_block);
    if (runner_up[lane] <= bound) {
      for (std::size_t block = 0; block < blocks; ++block) {
        if (block_minima[block][lane] > bound) continue;
        value = std::min(value, least_in_block<Long>(factor, summand, hashes.data() + block * hash_block));
      }
    }
    signature[i] = std::min(signature[i], value);
  }
}

template <class Word, class Long>
DJFAST_INLINE void lower_all(const Permutations& permutations, std::span<const std::uint32_t> hashes,
                             std::uint32_t* signature) noexcept {
  for (std::size_t group = 0; group < permutations.factors.size(); group += permutation_group) {
    lower_group<Word, Long>(permutations, group, hashes, signature);
  }
}

#if DJFAST_X86
DJFAST_AVX512 void lower_avx512(const Permutations& permutations, std::span<const std::uint32_t> hashes,
                                std::uint32_t* signature) noexcept {
  lower_all<Words16, Longs8>(permutations, hashes, signature);
}
DJFAST_AVX2 void lower_avx2(const Permutations& permutations, std::span<const std::uint32_t> hashes,
                            std::uint32_t* signature) noexcept {
  lower_all<Words8, Longs4>(permutations, hashes, signature);
}
#endif

/// The definition, without vectors or shortcuts.
void lower_serial(const Permutations& permutations, std::span<const std::uint32_t> hashes,
                  std::uint32_t* signature) noexcept {
  for (std::size_t i = 0; i < permutations.factors.size(); ++i) {
    for (const std::uint64_t hash : hashes) {
      const std::uint64_t x = hash * permutations.factors[i] + permutations.summands[i];
      signature[i] = std::min(signature[i], static_cast<std::uint32_t>(x % prime));
    }
  }
}

}  // namespace

void lower_signature(const Permutations& permutations, std::span<const std::uint32_t> hashes,
                     std::uint32_t* signature) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return lower_avx512(permutations, hashes, signature);
  if (active_isa() == Isa::avx2) return lower_avx2(permutations, hashes, signature);
#endif
  lower_serial(permutations, hashes, signature);
}

}  // namespace djfast::kernels
