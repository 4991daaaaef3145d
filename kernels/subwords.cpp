#include "kernels/subwords.hpp"

#include <bit>
#include <cstring>

#include "kernels/dispatch.hpp"

namespace djfast::kernels {
namespace {

// FNV-1a over signed characters: bytes from 0x80 flip the upper 24 bits too.
constexpr std::uint32_t hash_start = 2166136261U;
constexpr std::uint32_t hash_factor = 16777619U;

#if DJFAST_X86

typedef std::uint32_t Lanes __attribute__((vector_size(subword_starts * 4)));
typedef std::int32_t SignedLanes __attribute__((vector_size(subword_starts * 4)));
typedef std::uint64_t WideLanes __attribute__((vector_size(subword_starts * 8)));

DJFAST_INLINE void hash_subwords_body(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest,
                                      const Divisor& divisor, std::uint32_t* buckets) noexcept {
  Lanes hash = Lanes{} + hash_start;
  for (std::size_t length = 1; length <= longest; ++length) {
    Lanes bytes;
    std::memcpy(&bytes, code_points + length - 1, sizeof bytes);
    hash = (hash ^ (Lanes)((SignedLanes)(bytes << 24) >> 24)) * hash_factor;
    std::uint32_t beyond_ascii = 0;
    for (std::size_t lane = 0; lane < subword_starts; ++lane) beyond_ascii |= bytes[lane];
    if (beyond_ascii > 0xFF) {
      for (int shift = 16; shift >= 0; shift -= 8) {
        // A code point's later bytes are never zero.
        const Lanes byte = (Lanes)((SignedLanes)(bytes << shift) >> 24);
        const Lanes is_there = (Lanes)(byte != 0);
        hash = (is_there & ((hash ^ byte) * hash_factor)) | (~is_there & hash);
      }
    }
    if (length < shortest) continue;
    // The quotient is exact or one too small.
    const WideLanes product = __builtin_convertvector(hash, WideLanes) * divisor.reciprocal;
    const Lanes quotient = __builtin_convertvector(product >> (32 + divisor.shift), Lanes);
    Lanes remainder = hash - quotient * divisor.divisor;
    remainder -= (Lanes)(remainder >= divisor.divisor) & divisor.divisor;
    std::memcpy(buckets + (length - 1) * subword_starts, &remainder, sizeof remainder);
  }
}

DJFAST_AVX2 void hash_subwords_avx2(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest,
                                    const Divisor& divisor, std::uint32_t* buckets) noexcept {
  hash_subwords_body(code_points, shortest, longest, divisor, buckets);
}

DJFAST_AVX512 void hash_subwords_avx512(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest,
                                        const Divisor& divisor, std::uint32_t* buckets) noexcept {
  hash_subwords_body(code_points, shortest, longest, divisor, buckets);
}

#endif

}  // namespace

Divisor::Divisor(std::uint32_t of) noexcept
    : divisor(of), shift(static_cast<std::uint32_t>(std::bit_width(of)) - 1) {
  // For a power of two the quotient would need 33 bits; one less makes it one too small at most, as for the others.
  const std::uint64_t exact = (std::uint64_t{1} << (32 + shift)) / of;
  reciprocal = exact > 0xFFFFFFFF ? 0xFFFFFFFF : static_cast<std::uint32_t>(exact);
}

void serial::hash_subwords(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest,
                           const Divisor& divisor, std::uint32_t* buckets) noexcept {
  for (std::size_t start = 0; start < subword_starts; ++start) {
    std::uint32_t hash = hash_start;
    for (std::size_t length = 1; length <= longest; ++length) {
      std::uint32_t bytes = code_points[start + length - 1];
      do {
        hash = (hash ^ static_cast<std::uint32_t>(static_cast<std::int8_t>(bytes & 0xFF))) * hash_factor;
        bytes >>= 8;
      } while (bytes != 0);
      if (length >= shortest) buckets[(length - 1) * subword_starts + start] = hash % divisor.divisor;
    }
  }
}

void hash_subwords(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest, const Divisor& divisor,
                   std::uint32_t* buckets) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return hash_subwords_avx512(code_points, shortest, longest, divisor, buckets);
    case Isa::avx2: return hash_subwords_avx2(code_points, shortest, longest, divisor, buckets);
    case Isa::serial: break;
  }
#endif
  serial::hash_subwords(code_points, shortest, longest, divisor, buckets);
}

}  // namespace djfast::kernels
