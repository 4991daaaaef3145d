#include "kernels/json/strings.hpp"

#include "djfast/unicode.hpp"

namespace djfast::kernels::json {
namespace {

// The methods of wide chunks are not forced inline: a loop body has no target attribute of its own, so they can only
// be inlined after the body has become part of its wrapper, which has the same target.
#if DJFAST_X86
/// What 64 bytes are, one bit each.
struct Marks {
  std::uint64_t quote;
  std::uint64_t backslash;
  std::uint64_t control;
};

struct Avx2Chunk {
  DJFAST_AVX2 static Marks marks(const char* at) noexcept {
    return {.quote = equal(at, '"'), .backslash = equal(at, '\\'), .control = controls(at)};
  }
  DJFAST_AVX2 static std::uint64_t specials(const char* at) noexcept {
    return equal(at, '"') | equal(at, '\\') | controls(at);
  }
  /// The second characters of two-character escapes, and `u`.
  DJFAST_AVX2 static std::uint64_t escapable(const char* at) noexcept {
    return equal(at, '"') | equal(at, '\\') | equal(at, '/') | equal(at, 'b') | equal(at, 'f') | equal(at, 'n') |
           equal(at, 'r') | equal(at, 't') | equal(at, 'u');
  }
  DJFAST_AVX2 static std::uint64_t equal(const char* at, char c) noexcept {
    const __m256i wanted = _mm256_set1_epi8(c);
    return mask_of(_mm256_cmpeq_epi8(load(at), wanted), _mm256_cmpeq_epi8(load(at + 32), wanted));
  }
  DJFAST_AVX2 static void copy(const char* at, char* out) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), load(at));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 32), load(at + 32));
  }

 private:
  DJFAST_AVX2 static __m256i load(const char* at) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  }
  DJFAST_AVX2 static std::uint64_t mask_of(__m256i low, __m256i high) noexcept {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) |
           std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(high))} << 32;
  }
  DJFAST_AVX2 static std::uint64_t controls(const char* at) noexcept {
    const __m256i last = _mm256_set1_epi8(0x1F);
    const __m256i low = load(at);
    const __m256i high = load(at + 32);
    return mask_of(_mm256_cmpeq_epi8(_mm256_min_epu8(low, last), low),
                   _mm256_cmpeq_epi8(_mm256_min_epu8(high, last), high));
  }
};

struct Avx512Chunk {
  DJFAST_AVX512 static Marks marks(const char* at) noexcept {
    return {.quote = equal(at, '"'),
            .backslash = equal(at, '\\'),
            .control = _mm512_cmplt_epu8_mask(_mm512_loadu_si512(at), _mm512_set1_epi8(0x20))};
  }
  DJFAST_AVX512 static std::uint64_t specials(const char* at) noexcept {
    const auto [quote, backslash, control] = marks(at);
    return quote | backslash | control;
  }
  DJFAST_AVX512 static std::uint64_t escapable(const char* at) noexcept {
    return equal(at, '"') | equal(at, '\\') | equal(at, '/') | equal(at, 'b') | equal(at, 'f') | equal(at, 'n') |
           equal(at, 'r') | equal(at, 't') | equal(at, 'u');
  }
  DJFAST_AVX512 static std::uint64_t equal(const char* at, char c) noexcept {
    return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(at), _mm512_set1_epi8(c));
  }
  DJFAST_AVX512 static void copy(const char* at, char* out) noexcept {
    _mm512_storeu_si512(out, _mm512_loadu_si512(at));
  }
};

constexpr std::ptrdiff_t wide_bytes = 64;
#endif

DJFAST_INLINE std::size_t index_of(char c) noexcept { return static_cast<unsigned char>(c); }

DJFAST_INLINE bool is_special(char c) noexcept { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

/// The 16 bits of `\uXXXX` from its four digits, negative when one of them is no digit.
DJFAST_INLINE int code_unit(const char* digits) noexcept {
  using tables::hex_digits;
  return hex_digits[index_of(digits[0])] * 4096 | hex_digits[index_of(digits[1])] * 256 |
         hex_digits[index_of(digits[2])] * 16 | hex_digits[index_of(digits[3])];
}

const char* find_special(const char* at, const char* end) noexcept {
  for (; end - at >= WordChunk::width; at += WordChunk::width) {
    if (const auto mask = WordChunk::specials(at); mask != 0) return at + WordChunk::first(mask);
  }
  while (at != end && !is_special(*at)) ++at;
  return at;
}

/// Copies up to the first special byte and moves both positions there.
DJFAST_INLINE void copy_plain(const char*& at, const char* end, char*& out) noexcept {
  for (; end - at >= WordChunk::width; at += WordChunk::width, out += WordChunk::width) {
    std::memcpy(out, at, WordChunk::width);
    if (const auto mask = WordChunk::specials(at); mask != 0) {
      at += WordChunk::first(mask);
      out += WordChunk::first(mask);
      return;
    }
  }
  while (at != end && !is_special(*at)) *out++ = *at++;
}

Body skip_serial(const char* at, const char* end) noexcept {
  bool has_escape = false;
  for (;;) {
    at = find_special(at, end);
    if (at == end) return {at, BodyEnd::no_quote, has_escape};
    if (*at == '"') return {at, BodyEnd::quote, has_escape};
    if (*at != '\\') return {at, BodyEnd::control_character, has_escape};
    has_escape = true;
    do {
      if (end - at < 2) return {end, BodyEnd::no_quote, has_escape};
      if (tables::simple_escapes[index_of(at[1])] != 0) {
        at += 2;
      } else {
        if (at[1] != 'u' || end - at < 6 || code_unit(at + 2) < 0) return {at, BodyEnd::bad_escape, has_escape};
        at += 6;
      }
    } while (at != end && *at == '\\');
  }
}

/// Writes the character of the `\u` escape at `at`, of two escapes for a surrogate pair; null for a lone surrogate.
DJFAST_INLINE char* unescape_code_point(const char*& at, char* out) noexcept {
  char32_t c = static_cast<char32_t>(code_unit(at + 2));
  at += 6;
  if (c >= 0xD800 && c < 0xE000) {
    // A closing quote follows somewhere, so the comparisons stop before unreadable memory.
    if (c >= 0xDC00 || at[0] != '\\' || at[1] != 'u') return nullptr;
    const auto low = static_cast<char32_t>(code_unit(at + 2));
    if (low < 0xDC00 || low >= 0xE000) return nullptr;
    at += 6;
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
  }
  return unicode::append_utf8(out, c);
}

/// Writes the character of the escape at `at` and moves behind it; null for a lone surrogate.
DJFAST_INLINE char* unescape_one(const char*& at, char* out) noexcept {
  const char simple = tables::simple_escapes[index_of(at[1])];
  if (simple == 0) return unescape_code_point(at, out);
  *out = simple;
  at += 2;
  return out + 1;
}

char* unescape_serial(const char* at, const char* end, char* out) noexcept {
  for (;;) {
    copy_plain(at, end, out);
    if (*at == '"') return out;
    do {
      out = unescape_one(at, out);
      if (out == nullptr) return nullptr;
    } while (*at == '\\');
  }
}

/// Writes what stands for a special byte in a JSON string.
DJFAST_INLINE char* escape_one(char c, char* out) noexcept {
  const auto& escape = tables::escapes[index_of(c)];
  std::memcpy(out, escape.bytes.data(), escape.bytes.size());
  return out + escape.size;
}

char* escape_serial(const char* at, const char* end, char* out) noexcept {
  for (;;) {
    copy_plain(at, end, out);
    if (at == end) return out;
    out = escape_one(*at++, out);
  }
}

#if DJFAST_X86
/// The backslashes that begin an escape: every other one of a run, from its first. Bit 0 must not be escaped itself.
DJFAST_INLINE std::uint64_t escape_starts(std::uint64_t backslash) noexcept {
  constexpr std::uint64_t even = 0x5555555555555555;
  const std::uint64_t run_starts = backslash & ~(backslash << 1);
  // Adding the start of a run to it carries through the run and clears it; other runs keep their bits.
  const std::uint64_t even_runs = backslash & ~(backslash + (run_starts & even));
  return (even_runs & even) | ((backslash ^ even_runs) & ~even);
}

/// True when four digits follow each `u` of the block; `end` is where readable bytes end.
DJFAST_INLINE bool digits_follow(std::uint64_t units, const char* block, const char* end) noexcept {
  for (; units != 0; units &= units - 1) {
    const char* digits = block + std::countr_zero(units) + 1;
    if (end - digits < 4 || code_unit(digits) < 0) return false;
  }
  return true;
}

template <class Chunk>
DJFAST_INLINE Body skip_wide(const char* at, const char* end) noexcept {
  bool has_escape = false;
  std::uint64_t is_escaped = 0;  // 1 when the byte at `at` belongs to a backslash before it
  for (; end - at >= wide_bytes; at += wide_bytes) {
    const auto [quote, backslash, control] = Chunk::marks(at);
    if ((backslash | is_escaped) == 0) {
      if (quote != 0) {
        const int first = std::countr_zero(quote);
        if ((control & ((std::uint64_t{1} << first) - 1)) == 0) return {at + first, BodyEnd::quote, has_escape};
      }
      if ((quote | control) != 0) break;
      continue;
    }
    has_escape = true;
    const std::uint64_t starts = escape_starts(backslash & ~is_escaped);
    const std::uint64_t escaped = starts << 1 | is_escaped;
    const std::uint64_t closing = quote & ~escaped;
    const std::uint64_t body = closing == 0 ? ~std::uint64_t{0} : (closing & -closing) - 1;
    const std::uint64_t bad = control | (escaped & ~Chunk::escapable(at));
    if ((bad & body) != 0 || !digits_follow(escaped & Chunk::equal(at, 'u') & body, at, end)) break;
    if (closing != 0) return {at + std::countr_zero(closing), BodyEnd::quote, has_escape};
    is_escaped = starts >> 63;
  }
  // Fewer bytes than a block, or one that is not right: the serial walk says what is wrong and where.
  Body rest = skip_serial(at - is_escaped, end);
  rest.has_escape = rest.has_escape || has_escape;
  return rest;
}

template <class Chunk>
DJFAST_INLINE char* unescape_wide(const char* at, const char* end, char* out) noexcept {
  // Whole blocks are copied from behind each escape, over what the block before it left there: no branch depends on
  // the length of a run. An escape may reach 12 bytes out of its block.
  constexpr std::ptrdiff_t longest_escape = 12;
  while (end - at >= 2 * wide_bytes + longest_escape) {
    const char* block = at;
    std::uint64_t specials = Chunk::specials(block);
    Chunk::copy(at, out);
    while (specials != 0) {
      const char* special = block + std::countr_zero(specials);
      out += special - at;
      at = special;
      if (*at == '"') return out;
      out = unescape_one(at, out);
      if (out == nullptr) return nullptr;
      const std::ptrdiff_t done = at - block;
      specials = done < wide_bytes ? specials & ~std::uint64_t{0} << done : 0;
      Chunk::copy(at, out);
    }
    if (const char* next = block + wide_bytes; at < next) {
      out += next - at;
      at = next;
    }
  }
  return unescape_serial(at, end, out);
}

template <class Chunk>
DJFAST_INLINE char* escape_wide(const char* at, const char* end, char* out) noexcept {
  while (end - at >= 2 * wide_bytes) {
    const char* block = at;
    Chunk::copy(at, out);
    for (std::uint64_t specials = Chunk::specials(block); specials != 0; specials &= specials - 1) {
      const char* special = block + std::countr_zero(specials);
      out = escape_one(*special, out + (special - at));
      at = special + 1;
      Chunk::copy(at, out);
    }
    out += block + wide_bytes - at;
    at = block + wide_bytes;
  }
  return escape_serial(at, end, out);
}
#endif

constexpr StringKernels serial = {.skip = skip_serial, .unescape = unescape_serial, .escape = escape_serial};

#if DJFAST_X86
DJFAST_AVX2 Body skip_avx2(const char* at, const char* end) noexcept { return skip_wide<Avx2Chunk>(at, end); }
DJFAST_AVX2 char* unescape_avx2(const char* at, const char* end, char* out) noexcept {
  return unescape_wide<Avx2Chunk>(at, end, out);
}
DJFAST_AVX2 char* escape_avx2(const char* at, const char* end, char* out) noexcept {
  return escape_wide<Avx2Chunk>(at, end, out);
}

DJFAST_AVX512 Body skip_avx512(const char* at, const char* end) noexcept { return skip_wide<Avx512Chunk>(at, end); }
DJFAST_AVX512 char* unescape_avx512(const char* at, const char* end, char* out) noexcept {
  return unescape_wide<Avx512Chunk>(at, end, out);
}
DJFAST_AVX512 char* escape_avx512(const char* at, const char* end, char* out) noexcept {
  return escape_wide<Avx512Chunk>(at, end, out);
}

constexpr StringKernels avx2 = {.skip = skip_avx2, .unescape = unescape_avx2, .escape = escape_avx2};
constexpr StringKernels avx512 = {.skip = skip_avx512, .unescape = unescape_avx512, .escape = escape_avx512};
#endif

}  // namespace

const StringKernels& string_kernels() noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::serial: return serial;
    case Isa::avx2: return avx2;
    case Isa::avx512: return avx512;
  }
#endif
  return serial;
}

}  // namespace djfast::kernels::json
