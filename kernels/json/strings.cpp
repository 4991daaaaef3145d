#include "kernels/json/strings.hpp"

#include "djfast/unicode.hpp"

namespace djfast::kernels::json {
namespace {

// The methods of wide chunks are not forced inline: a loop body has no target attribute of its own, so they can only
// be inlined after the body has become part of its wrapper, which has the same target.
#if DJFAST_X86
struct Avx2Chunk {
  using Mask = std::uint32_t;
  static constexpr std::ptrdiff_t width = 32;

  DJFAST_AVX2 static Mask specials(const char* at) noexcept {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    const __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    const __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1F)), bytes);
    return static_cast<Mask>(_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, backslash), control)));
  }
  DJFAST_AVX2 static Mask copy(const char* at, char* out) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
    return specials(at);
  }
  static std::ptrdiff_t first(Mask mask) noexcept { return std::countr_zero(mask); }
};

struct Avx512Chunk {
  using Mask = std::uint64_t;
  static constexpr std::ptrdiff_t width = 64;

  DJFAST_AVX512 static Mask specials(const char* at) noexcept {
    const __m512i bytes = _mm512_loadu_si512(at);
    return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')) |
           _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
  }
  DJFAST_AVX512 static Mask copy(const char* at, char* out) noexcept {
    _mm512_storeu_si512(out, _mm512_loadu_si512(at));
    return specials(at);
  }
  static std::ptrdiff_t first(Mask mask) noexcept { return std::countr_zero(mask); }
};
#endif

DJFAST_INLINE std::size_t index_of(char c) noexcept { return static_cast<unsigned char>(c); }

DJFAST_INLINE bool is_special(char c) noexcept { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

/// The 16 bits of `\uXXXX` from its four digits, negative when one of them is no digit.
DJFAST_INLINE int code_unit(const char* digits) noexcept {
  using tables::hex_digits;
  return hex_digits[index_of(digits[0])] * 4096 | hex_digits[index_of(digits[1])] * 256 |
         hex_digits[index_of(digits[2])] * 16 | hex_digits[index_of(digits[3])];
}

template <class Chunk>
DJFAST_INLINE const char* find_special(const char* at, const char* end) noexcept {
  for (; end - at >= Chunk::width; at += Chunk::width) {
    if (const auto mask = Chunk::specials(at); mask != 0) return at + Chunk::first(mask);
  }
  if constexpr (Chunk::width > WordChunk::width) return find_special<WordChunk>(at, end);
  while (at != end && !is_special(*at)) ++at;
  return at;
}

/// Copies up to the first special byte and moves both positions there.
template <class Chunk>
DJFAST_INLINE void copy_plain(const char*& at, const char* end, char*& out) noexcept {
  for (; end - at >= Chunk::width; at += Chunk::width, out += Chunk::width) {
    if (const auto mask = Chunk::copy(at, out); mask != 0) {
      at += Chunk::first(mask);
      out += Chunk::first(mask);
      return;
    }
  }
  if constexpr (Chunk::width > WordChunk::width) {
    copy_plain<WordChunk>(at, end, out);
  } else {
    while (at != end && !is_special(*at)) *out++ = *at++;
  }
}

template <class Chunk>
DJFAST_INLINE Body skip_body(const char* at, const char* end) noexcept {
  bool has_escape = false;
  for (;;) {
    at = find_special<Chunk>(at, end);
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

template <class Chunk>
DJFAST_INLINE char* unescape_body(const char* at, const char* end, char* out) noexcept {
  for (;;) {
    copy_plain<Chunk>(at, end, out);
    if (*at == '"') return out;
    do {
      if (const char simple = tables::simple_escapes[index_of(at[1])]; simple != 0) {
        *out++ = simple;
        at += 2;
      } else if (out = unescape_code_point(at, out); out == nullptr) {
        return nullptr;
      }
    } while (*at == '\\');
  }
}

template <class Chunk>
DJFAST_INLINE char* escape_body(const char* at, const char* end, char* out) noexcept {
  for (;;) {
    copy_plain<Chunk>(at, end, out);
    if (at == end) return out;
    const char c = *at++;
    *out++ = '\\';
    switch (c) {
      case '"': case '\\': *out++ = c; break;
      case '\b': *out++ = 'b'; break;
      case '\f': *out++ = 'f'; break;
      case '\n': *out++ = 'n'; break;
      case '\r': *out++ = 'r'; break;
      case '\t': *out++ = 't'; break;
      default:
        std::memcpy(out, "u00", 3);
        out[3] = "01"[index_of(c) >> 4];
        out[4] = "0123456789abcdef"[index_of(c) & 15];
        out += 5;
    }
  }
}

Body skip_serial(const char* at, const char* end) noexcept { return skip_body<WordChunk>(at, end); }
char* unescape_serial(const char* at, const char* end, char* out) noexcept { return unescape_body<WordChunk>(at, end, out); }
char* escape_serial(const char* at, const char* end, char* out) noexcept { return escape_body<WordChunk>(at, end, out); }

constexpr StringKernels serial = {.skip = skip_serial, .unescape = unescape_serial, .escape = escape_serial};

#if DJFAST_X86
DJFAST_AVX2 Body skip_avx2(const char* at, const char* end) noexcept { return skip_body<Avx2Chunk>(at, end); }
DJFAST_AVX2 char* unescape_avx2(const char* at, const char* end, char* out) noexcept {
  return unescape_body<Avx2Chunk>(at, end, out);
}
DJFAST_AVX2 char* escape_avx2(const char* at, const char* end, char* out) noexcept {
  return escape_body<Avx2Chunk>(at, end, out);
}

DJFAST_AVX512 Body skip_avx512(const char* at, const char* end) noexcept { return skip_body<Avx512Chunk>(at, end); }
DJFAST_AVX512 char* unescape_avx512(const char* at, const char* end, char* out) noexcept {
  return unescape_body<Avx512Chunk>(at, end, out);
}
DJFAST_AVX512 char* escape_avx512(const char* at, const char* end, char* out) noexcept {
  return escape_body<Avx512Chunk>(at, end, out);
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
