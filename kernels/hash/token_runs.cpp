// Small windows are computed anew for each run, since vectors do so for many runs at once; large ones roll: each run is
// the one before it with a token removed and one added.
#include "kernels/hash/token_runs.hpp"

#include <cstring>

#include "kernels/dispatch.hpp"

namespace djfast::kernels {
namespace {

constexpr std::size_t small_window = 8;

using Longs4 [[gnu::vector_size(32)]] = std::uint64_t;
using Longs8 [[gnu::vector_size(64)]] = std::uint64_t;

template <class Longs>
DJFAST_INLINE void hash_anew(std::uint64_t* hashes, std::size_t runs, std::size_t window, std::uint64_t base) noexcept {
  constexpr std::size_t lanes = sizeof(Longs) / sizeof(std::uint64_t);
  std::size_t run = 0;
  // A run lies at and behind its first token, so what is written over here has been read.
  for (; run + lanes <= runs; run += lanes) {
    Longs polynomial;
    std::memcpy(&polynomial, hashes + run, sizeof polynomial);
    for (std::size_t i = 1; i < window; ++i) {
      Longs token;
      std::memcpy(&token, hashes + run + i, sizeof token);
      polynomial = polynomial * base + token;
    }
    std::memcpy(hashes + run, &polynomial, sizeof polynomial);
  }
  for (; run < runs; ++run) {
    for (std::size_t i = 1; i < window; ++i) hashes[run] = hashes[run] * base + hashes[run + i];
  }
}

void hash_rolling(std::uint64_t* hashes, std::size_t runs, std::size_t window, std::uint64_t base) noexcept {
  std::uint64_t oldest_weight = 1;
  for (std::size_t i = 0; i < window; ++i) oldest_weight *= base;
  std::uint64_t polynomial = 0;
  for (std::size_t i = 0; i + 1 < window; ++i) polynomial = polynomial * base + hashes[i];
  std::uint64_t oldest = 0;
  for (std::size_t run = 0; run < runs; ++run) {
    polynomial = polynomial * base + hashes[run + window - 1] - oldest * oldest_weight;
    oldest = hashes[run];
    hashes[run] = polynomial;
  }
}

#if DJFAST_X86
DJFAST_AVX512 void hash_anew_avx512(std::uint64_t* hashes, std::size_t runs, std::size_t window,
                                    std::uint64_t base) noexcept {
  hash_anew<Longs8>(hashes, runs, window, base);
}
DJFAST_AVX2 void hash_anew_avx2(std::uint64_t* hashes, std::size_t runs, std::size_t window,
                                std::uint64_t base) noexcept {
  hash_anew<Longs4>(hashes, runs, window, base);
}
#endif

}  // namespace

void hash_runs(std::span<std::uint64_t> hashes, std::size_t window, std::uint64_t base) noexcept {
  const std::size_t runs = hashes.size() - window + 1;
#if DJFAST_X86
  if (window <= small_window) {
    if (active_isa() == Isa::avx512) return hash_anew_avx512(hashes.data(), runs, window, base);
    if (active_isa() == Isa::avx2) return hash_anew_avx2(hashes.data(), runs, window, base);
  }
#endif
  hash_rolling(hashes.data(), runs, window, base);
}

}  // namespace djfast::kernels
