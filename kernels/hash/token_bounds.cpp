#include "kernels/hash/token_bounds.hpp"

#include <bit>
#include <cstring>

#include "kernels/dispatch.hpp"
#include "kernels/hash/moved_bytes.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

constexpr std::size_t word_bits = 64;

std::uint64_t mark_serial(const char* bytes, char byte) noexcept {
  std::uint64_t marks = 0;
  for (std::size_t i = 0; i < word_bits; ++i) marks |= std::uint64_t{bytes[i] == byte} << i;
  return marks;
}

#if DJFAST_X86
DJFAST_AVX512 void mark_avx512(const char* bytes, std::size_t words, char byte, std::uint64_t* marks) noexcept {
  const __m512i wanted = _mm512_set1_epi8(byte);
  for (std::size_t i = 0; i < words; ++i) {
    marks[i] = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes + i * word_bits), wanted);
  }
}

DJFAST_AVX2 void mark_avx2(const char* bytes, std::size_t words, char byte, std::uint64_t* marks) noexcept {
  const __m256i wanted = _mm256_set1_epi8(byte);
  for (std::size_t i = 0; i < words; ++i) {
    const auto* at = reinterpret_cast<const __m256i*>(bytes + i * word_bits);
    const auto low =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(at), wanted)));
    const auto high =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(at + 1), wanted)));
    marks[i] = static_cast<std::uint64_t>(high) << 32 | low;
  }
}
#endif

void mark_words(const char* bytes, std::size_t words, char byte, std::uint64_t* marks) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return mark_avx512(bytes, words, byte, marks);
  if (active_isa() == Isa::avx2) return mark_avx2(bytes, words, byte, marks);
#endif
  for (std::size_t i = 0; i < words; ++i) marks[i] = mark_serial(bytes + i * word_bits, byte);
}

/// Bits one after the other. They may overwrite those that they are made of.
class BitWriter {
 public:
  explicit BitWriter(std::uint64_t* out) noexcept : out_(out) {}
  /// Appends the lowest `count` bits, from 0 to 64, of which the others are zero.
  void append(std::uint64_t bits, unsigned count) noexcept {
    waiting_ |= bits << filled_;
    if (filled_ + count < 64) {
      filled_ += count;
      return;
    }
    *out_++ = waiting_;
    waiting_ = filled_ == 0 ? 0 : bits >> (64 - filled_);
    filled_ = filled_ + count - 64;
  }
  void fill_up() noexcept {
    if (filled_ > 0) *out_ = waiting_ | ~std::uint64_t{0} << filled_;
  }

 private:
  std::uint64_t* out_;
  std::uint64_t waiting_ = 0;
  unsigned filled_ = 0;  // below 64
};

/// `move` moves the bytes of a block, `extract` the bits of its marks.
template <auto move, auto extract>
DJFAST_INLINE std::size_t join(std::string_view text, std::uint64_t* marks, char* out) noexcept {
  BitWriter joined{marks};
  char* const start_of_output = out;
  std::uint64_t before = 1;
  for (std::size_t at = 0; at < text.size(); at += word_bits) {
    const std::uint64_t mark = marks[at / word_bits];
    std::uint64_t kept = ~(mark & (mark << 1 | before));
    before = mark >> 63;
    const char* block = text.data() + at;
    char rest[word_bits] = {};
    if (text.size() - at < word_bits) {
      std::memcpy(rest, block, text.size() - at);
      block = rest;
      kept &= ~(~std::uint64_t{0} << (text.size() - at));
    }
    if (kept == ~std::uint64_t{0}) {
      std::memcpy(out, block, word_bits);
      out += word_bits;
      joined.append(mark, word_bits);
    } else {
      out = move(block, kept, out);
      joined.append(extract(mark, kept), static_cast<unsigned>(std::popcount(kept)));
    }
  }
  joined.fill_up();
  return static_cast<std::size_t>(out - start_of_output);
}

std::uint64_t extract_serial(std::uint64_t bits, std::uint64_t kept) noexcept {
  std::uint64_t extracted = 0;
  for (int place = 0; kept != 0; kept &= kept - 1) extracted |= (bits >> std::countr_zero(kept) & 1) << place++;
  return extracted;
}

#if DJFAST_X86
DJFAST_AVX2 inline std::uint64_t extract_bmi2(std::uint64_t bits, std::uint64_t kept) noexcept {
  return _pext_u64(bits, kept);
}

DJFAST_AVX2 std::size_t join_bmi2(std::string_view text, std::uint64_t* marks, char* out) noexcept {
  return join<move_together, extract_bmi2>(text, marks, out);
}
#endif

DJFAST_INLINE std::size_t list(std::span<const std::uint64_t> marks, std::uint32_t* positions) noexcept {
  std::uint32_t* out = positions;
  std::uint64_t before = 1;
  for (std::size_t word = 0; word < marks.size(); ++word) {
    std::uint64_t changes = marks[word] ^ (marks[word] << 1 | before);
    before = marks[word] >> 63;
    const auto base = static_cast<std::uint32_t>(word * word_bits);
    const int count = std::popcount(changes);
    // Sixteen at a time without asking how many are left: a branch for each would be mispredicted.
    for (int done = 0; done < count; done += 16) {
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        out[done + i] = base + static_cast<std::uint32_t>(std::countr_zero(changes));
        changes &= changes - 1;
      }
    }
    out += count;
  }
  return static_cast<std::size_t>(out - positions);
}

#if DJFAST_X86
DJFAST_AVX512 std::size_t list_avx512(std::span<const std::uint64_t> marks, std::uint32_t* positions) noexcept {
  std::uint32_t* out = positions;
  std::uint64_t before = 1;
  const __m512i sixteen = _mm512_set1_epi32(16);
  __m512i here = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (const std::uint64_t mark : marks) {
    std::uint64_t changes = mark ^ (mark << 1 | before);
    before = mark >> 63;
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
      // Compressed in a register and stored whole: a compressing store is far slower.
      const auto chosen = static_cast<__mmask16>(changes);
      _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(chosen, here));
      out += std::popcount(static_cast<std::uint16_t>(changes));
      changes >>= 16;
      here = _mm512_add_epi32(here, sixteen);
    }
  }
  return static_cast<std::size_t>(out - positions);
}
DJFAST_AVX2 std::size_t list_avx2(std::span<const std::uint64_t> marks, std::uint32_t* positions) noexcept {
  return list(marks, positions);
}
#endif

}  // namespace

void mark_byte(std::string_view text, char byte, std::uint64_t* marks) noexcept {
  const std::size_t words = text.size() / word_bits;
  mark_words(text.data(), words, byte, marks);
  const std::size_t rest = text.size() % word_bits;
  if (rest == 0) return;
  char last[word_bits];
  std::memset(last, byte, sizeof last);
  std::memcpy(last, text.data() + words * word_bits, rest);
  mark_words(last, 1, byte, marks + words);
}

std::size_t join_marked(std::string_view text, std::uint64_t* marks, char* out) noexcept {
#if DJFAST_X86
  if (active_isa() != Isa::serial) return join_bmi2(text, marks, out);
#endif
  return join<move_together_serial, extract_serial>(text, marks, out);
}

std::size_t list_changes(std::span<const std::uint64_t> marks, std::uint32_t* positions) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return list_avx512(marks, positions);
  if (active_isa() == Isa::avx2) return list_avx2(marks, positions);
#endif
  return list(marks, positions);
}

}  // namespace djfast::kernels
