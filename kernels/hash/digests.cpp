#include "kernels/hash/digests.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

constexpr std::size_t block_bytes = 64;

// A Word holds the same 32-bit variable of as many messages as it has lanes: one (serial), 8 or 16.
using Words8 [[gnu::vector_size(32)]] = std::uint32_t;
using Words16 [[gnu::vector_size(64)]] = std::uint32_t;

template <class Word>
inline constexpr std::size_t lane_count = sizeof(Word) / sizeof(std::uint32_t);

template <class Word>
DJFAST_INLINE Word rotate_left(Word value, int bits) noexcept {
  return value << bits | value >> (32 - bits);
}

template <class Word>
DJFAST_INLINE Word swap_bytes(Word value) noexcept {
  return (rotate_left(value, 8) & 0x00FF00FFU) | (rotate_left(value, 24) & 0xFF00FF00U);
}

// Bitwise functions of three variables: one instruction of AVX-512, which compilers do not find on their own where a
// variable occurs twice.
template <int table>
DJFAST_INLINE Words16 ternary(Words16 a, Words16 b, Words16 c) noexcept {
#if DJFAST_X86
  asm("vpternlogd %3, %2, %1, %0" : "+v"(a) : "v"(b), "v"(c), "i"(table));
#endif
  return a;
}

template <class Word>
inline constexpr bool has_ternary = DJFAST_X86 && lane_count<Word> == 16;

/// The bits of `yes` where `which` has ones, those of `no` elsewhere.
template <class Word>
DJFAST_INLINE Word choose(Word which, Word yes, Word no) noexcept {
  if constexpr (has_ternary<Word>) return ternary<0xCA>(which, yes, no);
  return no ^ (which & (yes ^ no));
}

template <class Word>
DJFAST_INLINE Word parity(Word a, Word b, Word c) noexcept {
  if constexpr (has_ternary<Word>) return ternary<0x96>(a, b, c);
  return a ^ b ^ c;
}

template <class Word>
DJFAST_INLINE Word majority(Word a, Word b, Word c) noexcept {
  if constexpr (has_ternary<Word>) return ternary<0xE8>(a, b, c);
  return (a & b) | (c & (a | b));
}

/// a ^ (b | ~c)
template <class Word>
DJFAST_INLINE Word flip_unless(Word a, Word b, Word c) noexcept {
  if constexpr (has_ternary<Word>) return ternary<0x2D>(a, b, c);
  return a ^ (b | ~c);
}

DJFAST_INLINE std::uint32_t little_endian(std::uint32_t value) noexcept {
  if constexpr (std::endian::native == std::endian::little) return value;
  return __builtin_bswap32(value);
}

// ---------------------------------------------------------------------------------------------------------------------
// From 16 words of each message to 16 Words: a transposition by rounds of interleaving halves.

template <class Word, std::size_t... i>
DJFAST_INLINE void interleave(Word low, Word high, Word& first, Word& second, std::index_sequence<i...>) noexcept {
  constexpr std::size_t n = sizeof...(i);
  first = __builtin_shufflevector(low, high, (i / 2 + i % 2 * n)...);
  second = __builtin_shufflevector(low, high, (n / 2 + i / 2 + i % 2 * n)...);
}

template <class Word>
DJFAST_INLINE void transpose(Word* rows) noexcept {
  constexpr std::size_t n = lane_count<Word>;
  for (std::size_t round = 1; round < n; round *= 2) {
    Word mixed[n];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < n / 2; ++i) {
      interleave(rows[i], rows[i + n / 2], mixed[2 * i], mixed[2 * i + 1], std::make_index_sequence<n>{});
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < n; ++i) rows[i] = mixed[i];
  }
}

/// words[t] = word t of every lane's block.
template <class Word>
DJFAST_INLINE void load_words(const char* const* blocks, Word* words) noexcept {
  constexpr std::size_t n = lane_count<Word>;
  if constexpr (n == 1) {
    std::memcpy(words, blocks[0], block_bytes);
    for (std::size_t t = 0; t < 16; ++t) words[t] = little_endian(words[t]);
  } else {
    for (std::size_t part = 0; part < 16; part += n) {
      for (std::size_t lane = 0; lane < n; ++lane) {
        std::memcpy(&words[part + lane], blocks[lane] + part * 4, sizeof(Word));
      }
      transpose(words + part);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The two compression functions, rounds unrolled by index so that the message schedule lives in registers.

struct Sha1 {
  static constexpr std::size_t state_words = 5;
  static constexpr std::size_t round_count = 80;
  static constexpr bool big_endian = true;
  static constexpr std::uint32_t initial[state_words] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};

  template <std::size_t t, class Word>
  DJFAST_INLINE static void round(Word* v, Word* words) noexcept {
    if constexpr (t >= 16) {
      const Word mixed = parity(words[(t + 8) % 16], words[(t + 2) % 16], words[t % 16]) ^ words[(t + 13) % 16];
      words[t % 16] = rotate_left(mixed, 1);
    }
    // The variables rotate through v instead of being moved: a is v[(80 - t) % 5], b the next one, and so on.
    Word& a = v[(80 - t) % 5];
    Word& b = v[(81 - t) % 5];
    Word& c = v[(82 - t) % 5];
    Word& d = v[(83 - t) % 5];
    Word& e = v[(84 - t) % 5];
    if constexpr (t < 20) {
      e += choose(b, c, d) + (words[t % 16] + 0x5A827999U);
    } else if constexpr (t < 40) {
      e += parity(b, c, d) + (words[t % 16] + 0x6ED9EBA1U);
    } else if constexpr (t < 60) {
      e += majority(b, c, d) + (words[t % 16] + 0x8F1BBCDCU);
    } else {
      e += parity(b, c, d) + (words[t % 16] + 0xCA62C1D6U);
    }
    e += rotate_left(a, 5);
    b = rotate_left(b, 30);
  }
};

struct Md5 {
  static constexpr std::size_t state_words = 4;
  static constexpr std::size_t round_count = 64;
  static constexpr bool big_endian = false;
  static constexpr std::uint32_t initial[state_words] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
  static constexpr int shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  // 2^32 * |sin(t + 1)|, rounded down.
  static constexpr std::uint32_t sines[64] = {
    0xD76AA478, 0xE8C7B756, 0x242070DB, 0xC1BDCEEE, 0xF57C0FAF, 0x4787C62A, 0xA8304613, 0xFD469501,
    0x698098D8, 0x8B44F7AF, 0xFFFF5BB1, 0x895CD7BE, 0x6B901122, 0xFD987193, 0xA679438E, 0x49B40821,
    0xF61E2562, 0xC040B340, 0x265E5A51, 0xE9B6C7AA, 0xD62F105D, 0x02441453, 0xD8A1E681, 0xE7D3FBC8,
    0x21E1CDE6, 0xC33707D6, 0xF4D50D87, 0x455A14ED, 0xA9E3E905, 0xFCEFA3F8, 0x676F02D9, 0x8D2A4C8A,
    0xFFFA3942, 0x8771F681, 0x6D9D6122, 0xFDE5380C, 0xA4BEEA44, 0x4BDECFA9, 0xF6BB4B60, 0xBEBFBC70,
    0x289B7EC6, 0xEAA127FA, 0xD4EF3085, 0x04881D05, 0xD9D4D039, 0xE6DB99E5, 0x1FA27CF8, 0xC4AC5665,
    0xF4292244, 0x432AFF97, 0xAB9423A7, 0xFC93A039, 0x655B59C3, 0x8F0CCC92, 0xFFEFF47D, 0x85845DD1,
    0x6FA87E4F, 0xFE2CE6E0, 0xA3014314, 0x4E0811A1, 0xF7537E82, 0xBD3AF235, 0x2AD7D2BB, 0xEB86D391,
  };

  template <std::size_t t, class Word>
  DJFAST_INLINE static void round(Word* v, const Word* words) noexcept {
    Word& a = v[(64 - t) % 4];
    const Word b = v[(65 - t) % 4];
    const Word c = v[(66 - t) % 4];
    const Word d = v[(67 - t) % 4];
    Word mixed;
    std::size_t word = 0;
    if constexpr (t < 16) {
      mixed = choose(b, c, d);
      word = t;
    } else if constexpr (t < 32) {
      mixed = choose(d, b, c);
      word = (5 * t + 1) % 16;
    } else if constexpr (t < 48) {
      mixed = parity(b, c, d);
      word = (3 * t + 5) % 16;
    } else {
      mixed = flip_unless(c, b, d);
      word = 7 * t % 16;
    }
    a = b + rotate_left(Word(a + (words[word] + sines[t]) + mixed), shifts[t / 16][t % 4]);
  }
};

/// One or two groups of lanes; two take turns, since the rounds of one mostly wait for each other.
template <class Algorithm, std::size_t groups, class Word, std::size_t... t>
DJFAST_INLINE void rounds(Word (*v)[Algorithm::state_words], Word (*words)[16], std::index_sequence<t...>) noexcept {
  static_assert(groups == 1 || groups == 2);
  if constexpr (groups == 1) {
    (Algorithm::template round<t>(v[0], words[0]), ...);
  } else {
    ((Algorithm::template round<t>(v[0], words[0]), Algorithm::template round<t>(v[1], words[1])), ...);
  }
}

/// Takes the words as the algorithm reads them: SHA-1 wants their bytes swapped.
template <class Algorithm, std::size_t groups, class Word>
DJFAST_INLINE void compress(Word (*state)[Algorithm::state_words], Word (*words)[16]) noexcept {
  Word v[groups][Algorithm::state_words];
#pragma GCC unroll 2
  for (std::size_t group = 0; group < groups; ++group) {
#pragma GCC unroll 5
    for (std::size_t i = 0; i < Algorithm::state_words; ++i) v[group][i] = state[group][i];
  }
  rounds<Algorithm, groups>(v, words, std::make_index_sequence<Algorithm::round_count>{});
#pragma GCC unroll 2
  for (std::size_t group = 0; group < groups; ++group) {
#pragma GCC unroll 5
    for (std::size_t i = 0; i < Algorithm::state_words; ++i) state[group][i] += v[group][i];
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Padding.

constexpr std::uint64_t blocks_of(std::uint64_t size) noexcept { return (size + 8) / block_bytes + 1; }

/// The message's length as the last eight bytes of its last block hold it.
template <class Algorithm>
DJFAST_INLINE std::uint64_t bit_count(std::uint64_t size) noexcept {
  constexpr bool swapped = Algorithm::big_endian == (std::endian::native == std::endian::little);
  return swapped ? __builtin_bswap64(size * 8) : size * 8;
}

// A padded block is made in registers, in parts as wide as a vector of words, because a vector load that follows
// narrower stores to the same bytes stalls. Serial code takes quarters.
template <std::size_t bytes>
struct Part {
  using Bytes [[gnu::vector_size(bytes)]] = std::uint8_t;
  using Counts [[gnu::vector_size(bytes)]] = std::uint64_t;

  template <std::size_t... i>
  DJFAST_INLINE static Bytes ascending(std::index_sequence<i...>) noexcept {
    return Bytes{static_cast<std::uint8_t>(i)...};
  }
};

/// Block `index` of a slice with its padding. Reads 64 bytes wherever the slice still has bytes, past its end too.
template <class Algorithm, std::size_t part_bytes>
DJFAST_INLINE void write_padded_block(const char* message, std::uint32_t size, std::uint64_t index,
                                      char* block) noexcept {
  using Bytes = typename Part<part_bytes>::Bytes;
  using Counts = typename Part<part_bytes>::Counts;
  const std::uint64_t at = index * block_bytes;
  if (at + block_bytes <= size) {
    std::memcpy(block, message + at, block_bytes);
    return;
  }
  const Bytes positions = Part<part_bytes>::ascending(std::make_index_sequence<part_bytes>{});
  // 64 + `rest` bytes are left. Below 64: the marker byte went into an earlier block.
  const std::uint64_t rest = size + block_bytes - at;
  const auto kept = static_cast<std::uint8_t>(rest);
  const bool is_last = rest < 2 * block_bytes - 8;
  const char* source = rest > block_bytes ? message + at : message;
  for (std::size_t part = 0; part < block_bytes; part += part_bytes) {
    Bytes bytes;
    std::memcpy(&bytes, source + part, sizeof bytes);
    const Bytes here = positions + static_cast<std::uint8_t>(block_bytes + part);
    bytes = (bytes & reinterpret_cast<Bytes>(here < kept)) | (reinterpret_cast<Bytes>(here == kept) & 0x80);
    if (is_last && part + part_bytes == block_bytes) {
      Counts count{};
      count[part_bytes / 8 - 1] = bit_count<Algorithm>(size);
      bytes |= reinterpret_cast<Bytes>(count);
    }
    std::memcpy(block + part, &bytes, sizeof bytes);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Many slices: groups of lanes start and end together.

template <class Prefix>
DJFAST_INLINE Prefix prefix_of(std::uint32_t first, std::uint32_t second) noexcept {
  if constexpr (sizeof(Prefix) == 4) return __builtin_bswap32(first);  // SHA-1 writes big-endian words
  return static_cast<std::uint64_t>(__builtin_bswap32(first)) << 32 | __builtin_bswap32(second);  // MD5 little-endian
}

template <class Algorithm, class Word, class Prefix>
DJFAST_INLINE void hash_group(const char* buffer, const Slice* slices, Prefix* prefixes) noexcept {
  constexpr std::size_t n = lane_count<Word>;
  constexpr std::size_t part_bytes = std::max<std::size_t>(sizeof(Word), 16);
  alignas(64) char padded[n][block_bytes];
  const char* blocks[n];
  std::uint64_t shortest = ~std::uint64_t{0};
  std::uint64_t longest = 0;
  for (std::size_t lane = 0; lane < n; ++lane) {
    blocks[lane] = padded[lane];
    shortest = std::min(shortest, blocks_of(slices[lane].size));
    longest = std::max(longest, blocks_of(slices[lane].size));
  }
  std::uint32_t initial[Algorithm::state_words][n];
  for (std::size_t i = 0; i < Algorithm::state_words; ++i) std::fill_n(initial[i], n, Algorithm::initial[i]);
  Word state[1][Algorithm::state_words];
  std::memcpy(state, initial, sizeof state);
  for (std::uint64_t index = 0; index < longest; ++index) {
    for (std::size_t lane = 0; lane < n; ++lane) {
      if (index < blocks_of(slices[lane].size)) {
        const char* message = buffer + slices[lane].start;
        write_padded_block<Algorithm, part_bytes>(message, slices[lane].size, index, padded[lane]);
      }
    }
    Word words[1][16];
    load_words(blocks, words[0]);
    if constexpr (Algorithm::big_endian) {
      for (Word& word : words[0]) word = swap_bytes(word);
    }
    compress<Algorithm, 1>(state, words);
    if (index + 1 < shortest) continue;
    std::uint32_t first[n];
    std::uint32_t second[n];
    std::memcpy(first, &state[0][0], sizeof first);
    std::memcpy(second, &state[0][1], sizeof second);
    for (std::size_t lane = 0; lane < n; ++lane) {
      if (blocks_of(slices[lane].size) == index + 1) prefixes[lane] = prefix_of<Prefix>(first[lane], second[lane]);
    }
  }
}

template <class Algorithm, class Word, class Prefix>
DJFAST_INLINE void hash_slices(const char* buffer, std::span<const Slice> slices, Prefix* prefixes) noexcept {
  constexpr std::size_t n = lane_count<Word>;
  std::size_t at = 0;
  for (; at + n <= slices.size(); at += n) hash_group<Algorithm, Word>(buffer, slices.data() + at, prefixes + at);
  if (at == slices.size()) return;
  // The last group is filled up with copies of its last slice.
  Slice group[n];
  Prefix group_prefixes[n];
  const std::size_t left = slices.size() - at;
  for (std::size_t lane = 0; lane < n; ++lane) group[lane] = slices[at + std::min(lane, left - 1)];
  hash_group<Algorithm, Word>(buffer, group, group_prefixes);
  std::memcpy(prefixes + at, group_prefixes, left * sizeof(Prefix));
}

#if DJFAST_X86
// With AVX-512 a padded block is one masked load, and lengths are put in for all lanes at once.

/// The sixteen lanes of a group: where their messages are and how long.
struct Lanes {
  const char* messages[16];
  std::int64_t sizes[16];
  Words16 size_words;
};

DJFAST_AVX512 inline void read_lanes(const char* buffer, const Slice* slices, Lanes& lanes) noexcept {
  const __m512i low = _mm512_loadu_si512(slices);
  const __m512i high = _mm512_loadu_si512(slices + 8);
  const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  lanes.size_words = reinterpret_cast<Words16>(_mm512_permutex2var_epi32(low, odd, high));
  for (std::size_t lane = 0; lane < 16; ++lane) {
    lanes.messages[lane] = buffer + slices[lane].start;
    lanes.sizes[lane] = slices[lane].size;
  }
}

template <class Algorithm>
DJFAST_AVX512 inline void load_padded_words(const Lanes& lanes, std::int64_t index, Words16* words) noexcept {
  const std::int64_t at = index * 64;
  const __m512i marker = _mm512_set1_epi8(static_cast<char>(0x80));
  for (std::size_t lane = 0; lane < 16; ++lane) {
    const std::int64_t rest = lanes.sizes[lane] - at;  // negative once the marker stands in an earlier block
    const auto kept = static_cast<unsigned>(std::clamp<std::int64_t>(rest, 0, 64));
    const auto marked = static_cast<unsigned>(std::clamp<std::int64_t>(rest + 1, 0, 64));
    const __mmask64 bytes = _bzhi_u64(~std::uint64_t{0}, kept);
    const char* source = lanes.messages[lane] + (rest > 0 ? at : 0);
    const __m512i message = _mm512_maskz_loadu_epi8(bytes, source);
    words[lane] = reinterpret_cast<Words16>(
        _mm512_mask_mov_epi8(message, _bzhi_u64(~std::uint64_t{0}, marked) ^ bytes, marker));
  }
  transpose(words);
  if constexpr (Algorithm::big_endian) {
    const __m512i swapped = _mm512_set4_epi32(0x0C0D0E0F, 0x08090A0B, 0x04050607, 0x00010203);
#pragma GCC unroll 16
    for (std::size_t t = 0; t < 16; ++t) {
      words[t] = reinterpret_cast<Words16>(_mm512_shuffle_epi8(reinterpret_cast<__m512i>(words[t]), swapped));
    }
  }
  const auto sizes = reinterpret_cast<__m512i>(lanes.size_words);
  const __mmask16 last = _mm512_cmplt_epu32_mask(sizes, _mm512_set1_epi32(static_cast<int>(at + 56)));
  Words16& low = words[Algorithm::big_endian ? 15 : 14];
  Words16& high = words[Algorithm::big_endian ? 14 : 15];
  low = reinterpret_cast<Words16>(_mm512_mask_slli_epi32(reinterpret_cast<__m512i>(low), last, sizes, 3));
  high = reinterpret_cast<Words16>(_mm512_mask_srli_epi32(reinterpret_cast<__m512i>(high), last, sizes, 29));
}

/// Stores the prefixes of the lanes in `done`.
template <class Prefix>
DJFAST_AVX512 inline void store_prefixes(const Words16* state, __mmask16 done, Prefix* prefixes) noexcept {
  const __m512i swapped = _mm512_set4_epi32(0x0C0D0E0F, 0x08090A0B, 0x04050607, 0x00010203);
  const __m512i first = _mm512_shuffle_epi8(reinterpret_cast<__m512i>(state[0]), swapped);
  if constexpr (sizeof(Prefix) == 4) {
    _mm512_mask_storeu_epi32(prefixes, done, first);  // SHA-1 writes big-endian words
  } else {
    const __m512i second = _mm512_shuffle_epi8(reinterpret_cast<__m512i>(state[1]), swapped);
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    _mm512_mask_storeu_epi64(prefixes, static_cast<__mmask8>(done), _mm512_permutex2var_epi32(second, low, first));
    _mm512_mask_storeu_epi64(prefixes + 8, static_cast<__mmask8>(done >> 8),
                             _mm512_permutex2var_epi32(second, high, first));
  }
}

template <class Algorithm, std::size_t groups, class Prefix>
DJFAST_AVX512 inline void hash_groups_avx512(const char* buffer, const Slice* slices, Prefix* prefixes) noexcept {
  Lanes lanes[groups];
  Words16 state[groups][Algorithm::state_words];
  std::int64_t longest = 0;
  for (std::size_t group = 0; group < groups; ++group) {
    read_lanes(buffer, slices + 16 * group, lanes[group]);
    for (std::size_t i = 0; i < Algorithm::state_words; ++i) state[group][i] = Words16{} + Algorithm::initial[i];
    for (const std::int64_t size : lanes[group].sizes) longest = std::max(longest, size);
  }
  const auto blocks = static_cast<std::int64_t>(blocks_of(static_cast<std::uint64_t>(longest)));
  for (std::int64_t index = 0; index < blocks; ++index) {
    Words16 words[groups][16];
    for (std::size_t group = 0; group < groups; ++group) {
      load_padded_words<Algorithm>(lanes[group], index, words[group]);
    }
    compress<Algorithm, groups>(state, words);
    for (std::size_t group = 0; group < groups; ++group) {
      // A size below 2^32 - 64: the sum does not wrap.
      const Words16 last = (lanes[group].size_words + 8U) >> 6;
      const __mmask16 done =
          _mm512_cmpeq_epi32_mask(reinterpret_cast<__m512i>(last), _mm512_set1_epi32(static_cast<int>(index)));
      store_prefixes(state[group], done, prefixes + 16 * group);
    }
  }
}

template <class Algorithm, std::size_t groups, class Prefix>
DJFAST_AVX512 inline void hash_slices_avx512(const char* buffer, std::span<const Slice> slices,
                                             Prefix* prefixes) noexcept {
  constexpr std::size_t n = 16 * groups;
  std::size_t at = 0;
  for (; at + n <= slices.size(); at += n) {
    hash_groups_avx512<Algorithm, groups>(buffer, slices.data() + at, prefixes + at);
  }
  for (; at < slices.size(); at += 16) {
    // The last groups are filled up with copies of the last slice.
    Slice group[16];
    Prefix group_prefixes[16];
    const std::size_t left = std::min<std::size_t>(16, slices.size() - at);
    for (std::size_t lane = 0; lane < 16; ++lane) group[lane] = slices[at + std::min(lane, left - 1)];
    hash_groups_avx512<Algorithm, 1>(buffer, group, group_prefixes);
    std::memcpy(prefixes + at, group_prefixes, left * sizeof(Prefix));
  }
}
#endif

// ---------------------------------------------------------------------------------------------------------------------
// Whole messages: a lane that has finished takes the next message, so lengths may differ freely.

class Feed {
 public:
  Feed() noexcept = default;

  void start(std::string_view message) noexcept {
    next_ = message.data();
    whole_left_ = message.size() / block_bytes;
    tail_at_ = 0;
    const std::size_t rest = message.size() % block_bytes;
    tail_left_ = rest + 9 > block_bytes ? 2 : 1;
    std::memset(tail_, 0, sizeof tail_);
    if (rest > 0) std::memcpy(tail_, message.data() + message.size() - rest, rest);
    tail_[rest] = static_cast<char>(0x80);
    const std::uint64_t count = bit_count<Md5>(message.size());
    std::memcpy(tail_ + tail_left_ * block_bytes - sizeof count, &count, sizeof count);
  }

  std::uint64_t blocks_left() const noexcept { return whole_left_ + tail_left_; }

  /// The next block; a feed that has run dry repeats an old one.
  const char* next() noexcept {
    if (whole_left_ > 0) {
      const char* block = next_;
      next_ += block_bytes;
      --whole_left_;
      return block;
    }
    if (tail_left_ == 0) return tail_;
    --tail_left_;
    return tail_ + block_bytes * tail_at_++;
  }

 private:
  const char* next_ = nullptr;
  std::uint64_t whole_left_ = 0;
  std::uint32_t tail_left_ = 0;
  std::uint32_t tail_at_ = 0;
  char tail_[2 * block_bytes] = {};
};

template <class Word>
DJFAST_INLINE void digest_messages(std::span<const std::string_view> messages, std::uint8_t* digests) noexcept {
  constexpr std::size_t n = lane_count<Word>;
  constexpr std::size_t idle = ~std::size_t{0};
  Feed feeds[n];
  std::size_t message_of[n];
  std::uint32_t lanes[4][n] = {};
  std::size_t started = 0;
  std::fill(message_of, message_of + n, idle);
  for (;;) {
    std::uint64_t steps = ~std::uint64_t{0};
    for (std::size_t lane = 0; lane < n; ++lane) {
      if (message_of[lane] != idle && feeds[lane].blocks_left() == 0) {
        for (std::size_t i = 0; i < 4; ++i) {
          const std::uint32_t word = little_endian(lanes[i][lane]);
          std::memcpy(digests + 16 * message_of[lane] + 4 * i, &word, 4);
        }
        message_of[lane] = idle;
      }
      if (message_of[lane] == idle && started < messages.size()) {
        feeds[lane].start(messages[started]);
        message_of[lane] = started++;
        for (std::size_t i = 0; i < 4; ++i) lanes[i][lane] = Md5::initial[i];
      }
      if (message_of[lane] != idle) steps = std::min(steps, feeds[lane].blocks_left());
    }
    if (steps == ~std::uint64_t{0}) return;
    Word state[1][4];
    std::memcpy(state, lanes, sizeof lanes);
    for (; steps > 0; --steps) {
      const char* blocks[n];
      for (std::size_t lane = 0; lane < n; ++lane) blocks[lane] = feeds[lane].next();
      Word words[1][16];
      load_words(blocks, words[0]);
      compress<Md5, 1>(state, words);
    }
    std::memcpy(lanes, state, sizeof lanes);
  }
}

#if DJFAST_X86
DJFAST_AVX512 void sha1_avx512(const char* buffer, std::span<const Slice> slices, std::uint32_t* prefixes) noexcept {
  hash_slices_avx512<Sha1, 1>(buffer, slices, prefixes);
}
DJFAST_AVX2 void sha1_avx2(const char* buffer, std::span<const Slice> slices, std::uint32_t* prefixes) noexcept {
  hash_slices<Sha1, Words8>(buffer, slices, prefixes);
}
DJFAST_AVX512 void md5_avx512(const char* buffer, std::span<const Slice> slices, std::uint64_t* prefixes) noexcept {
  hash_slices_avx512<Md5, 2>(buffer, slices, prefixes);
}
DJFAST_AVX2 void md5_avx2(const char* buffer, std::span<const Slice> slices, std::uint64_t* prefixes) noexcept {
  hash_slices<Md5, Words8>(buffer, slices, prefixes);
}
DJFAST_AVX512 void digests_avx512(std::span<const std::string_view> messages, std::uint8_t* digests) noexcept {
  digest_messages<Words16>(messages, digests);
}
DJFAST_AVX2 void digests_avx2(std::span<const std::string_view> messages, std::uint8_t* digests) noexcept {
  digest_messages<Words8>(messages, digests);
}
#endif

}  // namespace

void sha1_prefixes(const char* buffer, std::span<const Slice> slices, std::uint32_t* prefixes) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return sha1_avx512(buffer, slices, prefixes);
  if (active_isa() == Isa::avx2) return sha1_avx2(buffer, slices, prefixes);
#endif
  hash_slices<Sha1, std::uint32_t>(buffer, slices, prefixes);
}

void md5_prefixes(const char* buffer, std::span<const Slice> slices, std::uint64_t* prefixes) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return md5_avx512(buffer, slices, prefixes);
  if (active_isa() == Isa::avx2) return md5_avx2(buffer, slices, prefixes);
#endif
  hash_slices<Md5, std::uint32_t>(buffer, slices, prefixes);
}

void md5_digests(std::span<const std::string_view> messages, std::uint8_t* digests) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) return digests_avx512(messages, digests);
  if (active_isa() == Isa::avx2) return digests_avx2(messages, digests);
#endif
  digest_messages<std::uint32_t>(messages, digests);
}

}  // namespace djfast::kernels
