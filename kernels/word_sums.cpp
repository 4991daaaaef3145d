#include "kernels/word_sums.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels {
namespace {

constexpr std::size_t key_bytes = 16;
typedef float Lanes __attribute__((vector_size(64)));

DJFAST_INLINE std::uint32_t place_of(std::uint64_t low, std::uint64_t high, std::size_t place_count) noexcept {
  const auto product = static_cast<unsigned __int128>(low ^ 0x9E3779B97F4A7C15) * (high ^ 0xD1B54A32D192ED03);
  const auto hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  return static_cast<std::uint32_t>(hash & (place_count - 1));
}

DJFAST_INLINE void write_key(const char* text, std::size_t length, const char* readable_end,
                             std::uint64_t* key) noexcept {
  // 16 bytes from `ones + 16 - length` keep the first `length` bytes.
  static constexpr auto ones = [] {
    std::array<unsigned char, 2 * key_bytes> bytes{};
    for (std::size_t i = 0; i < key_bytes; ++i) bytes[i] = 0xFF;
    return bytes;
  }();
  char copy[key_bytes];
  if (readable_end - text < static_cast<std::ptrdiff_t>(key_bytes)) {
    std::memset(copy, 0, sizeof copy);
    std::memcpy(copy, text, length);
    text = copy;
  }
  std::uint64_t mask[2];
  std::memcpy(mask, ones.data() + key_bytes - length, sizeof mask);
  std::memcpy(key, text, key_bytes);
  key[0] &= mask[0];
  key[1] &= mask[1];
}

DJFAST_INLINE std::size_t pack_words_body(const MarkedText& marked, const char*& word_begin, const WordPlace* places,
                                          std::size_t place_count, PendingWord* words) noexcept {
  const char* begin = word_begin;
  PendingWord* word = words;
  for (std::size_t mark = 0; mark < marked.mark_count; ++mark) {
    const char* const block = marked.text + mark * 64;
    for (std::uint64_t bits = marked.separators[mark]; bits != 0; bits &= bits - 1) {
      const char* const end = block + std::countr_zero(bits);
      const auto length = static_cast<std::size_t>(end - begin);
      write_key(begin, std::min(length, longest_table_word), marked.readable_end, word->key);
      word->text = begin;
      word->length = static_cast<std::uint32_t>(length);
      word->place = place_of(word->key[0], word->key[1], place_count);
      __builtin_prefetch(&places[word->place]);
      word += length != 0;
      begin = end + 1;
    }
  }
  word_begin = begin;
  return static_cast<std::size_t>(word - words);
}

/// Notes what is known about a word of the table.
DJFAST_INLINE void take_from_table(const PendingWord& word, std::size_t way, WordPlace* places, const char* table_sums,
                                   std::size_t stride, const char*& sum, std::uint32_t& row_count) noexcept {
  std::uint64_t& notes = places[word.place].keys[way][1];
  if ((notes & met_again) == 0) notes |= met_again;
  row_count = static_cast<std::uint32_t>(notes >> notes_shift) & most_table_rows;
  sum = table_sums + (std::size_t{word.place} * table_ways + way) * stride;
  __builtin_prefetch(sum);
}

/// Adds vectors of 16 * `blocks` floats, of which `vector(i)` is the i-th. All are aligned to 64 bytes if `is_aligned`.
template <bool is_aligned, class Vector>
DJFAST_INLINE void add_body(std::size_t count, std::size_t blocks, float* total, Vector vector) noexcept {
  // Sums of sums lose less to rounding than one long sum.
  constexpr std::size_t group = 64;
  for (std::size_t block = 0; block < blocks; ++block) {
    Lanes sum;
    __builtin_memcpy(&sum, total + block * 16, sizeof sum);
    for (std::size_t begin = 0; begin < count; begin += group) {
      const std::size_t end = std::min(begin + group, count);
      Lanes group_sum{};
      for (std::size_t i = begin; i < end; ++i) {
        const char* at = vector(i) + block * sizeof(Lanes);
        Lanes values;
        __builtin_memcpy(&values, is_aligned ? __builtin_assume_aligned(at, 64) : at, sizeof values);
        group_sum += values;
      }
      sum += group_sum;
    }
    __builtin_memcpy(total + block * 16, &sum, sizeof sum);
  }
}

DJFAST_INLINE void add_vectors_body(const char* const* vectors, std::size_t count, std::size_t blocks,
                                    float* total) noexcept {
  add_body<true>(count, blocks, total, [=](std::size_t i) { return vectors[i]; });
}

DJFAST_INLINE void add_rows_body(const char* matrix, const std::uint32_t* rows, std::size_t count, std::size_t blocks,
                                 float* total) noexcept {
  add_body<false>(count, blocks, total, [=](std::size_t i) { return matrix + rows[i] * blocks * sizeof(Lanes); });
}

DJFAST_INLINE void add_rows_apart_body(const char* matrix, const std::uint32_t* rows, const std::uint32_t* starts, std::size_t count,
    const std::uint16_t* owners, std::size_t blocks, float* totals, std::uint32_t* row_counts) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t owner = owners[starts[i]];
    row_counts[owner] += 1;
    for (std::size_t block = 0; block < blocks; ++block) {
      float* const total = totals + (owner * blocks + block) * 16;
      Lanes sum;
      Lanes values;
      __builtin_memcpy(&sum, total, sizeof sum);
      __builtin_memcpy(&values, matrix + (rows[i] * blocks + block) * sizeof(Lanes), sizeof values);
      sum += values;
      __builtin_memcpy(total, &sum, sizeof sum);
    }
  }
}

#if DJFAST_X86

DJFAST_AVX512 std::size_t pack_words_avx512(const MarkedText& marked, const char*& word_begin, const WordPlace* places,
                                            std::size_t place_count, PendingWord* words) noexcept {
  const char* begin = word_begin;
  PendingWord* word = words;
  for (std::size_t mark = 0; mark < marked.mark_count; ++mark) {
    const char* const block = marked.text + mark * 64;
    for (std::uint64_t bits = marked.separators[mark]; bits != 0; bits &= bits - 1) {
      const char* const end = block + std::countr_zero(bits);
      const auto length = static_cast<std::size_t>(end - begin);
      const auto kept = static_cast<std::uint32_t>(std::min(length, longest_table_word));
      const __m128i key = _mm_maskz_loadu_epi8(static_cast<__mmask16>(_bzhi_u32(0xFFFF, kept)), begin);
      const auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(key));
      const auto high = static_cast<std::uint64_t>(_mm_extract_epi64(key, 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(word->key), key);
      word->text = begin;
      word->length = static_cast<std::uint32_t>(length);
      word->place = place_of(low, high, place_count);
      __builtin_prefetch(&places[word->place]);
      word += length != 0;
      begin = end + 1;
    }
  }
  word_begin = begin;
  return static_cast<std::size_t>(word - words);
}

DJFAST_AVX2 std::size_t pack_words_avx2(const MarkedText& marked, const char*& word_begin, const WordPlace* places,
                                        std::size_t place_count, PendingWord* words) noexcept {
  return pack_words_body(marked, word_begin, places, place_count, words);
}

DJFAST_AVX512 std::size_t find_words_avx512(const PendingWord* words, std::size_t count, WordPlace* places,
                                            const char* table_sums, std::size_t stride, const char** sums,
                                            std::uint32_t* row_counts, std::uint32_t* missing) noexcept {
  const __m512i text_bytes = _mm512_maskz_set1_epi8(0x7FFF7FFF7FFF7FFF, -1);
  std::size_t missing_count = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const PendingWord& word = words[i];
    const __m512i keys = _mm512_load_si512(places[word.place].keys);
    const __m512i key = _mm512_maskz_broadcast_i32x4(
        0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(word.key)));
    const __mmask8 differs = _mm512_test_epi64_mask(_mm512_xor_si512(keys, key), text_bytes);
    const unsigned equal = ~static_cast<unsigned>(differs);
    const unsigned ways = equal & equal >> 1 & 0x55;
    if (ways == 0 || word.length > longest_table_word) [[unlikely]] {
      missing[missing_count++] = static_cast<std::uint32_t>(i);
      continue;
    }
    const auto way = static_cast<std::size_t>(std::countr_zero(ways)) / 2;
    take_from_table(word, way, places, table_sums, stride, sums[i], row_counts[i]);
  }
  return missing_count;
}

DJFAST_AVX2 void add_vectors_avx2(const char* const* vectors, std::size_t count, std::size_t blocks,
                                  float* total) noexcept {
  add_vectors_body(vectors, count, blocks, total);
}

DJFAST_AVX512 void add_vectors_avx512(const char* const* vectors, std::size_t count, std::size_t blocks,
                                      float* total) noexcept {
  add_vectors_body(vectors, count, blocks, total);
}

DJFAST_AVX2 void add_rows_avx2(const char* matrix, const std::uint32_t* rows, std::size_t count, std::size_t blocks,
                               float* total) noexcept {
  add_rows_body(matrix, rows, count, blocks, total);
}

DJFAST_AVX512 void add_rows_avx512(const char* matrix, const std::uint32_t* rows, std::size_t count,
                                   std::size_t blocks, float* total) noexcept {
  add_rows_body(matrix, rows, count, blocks, total);
}

DJFAST_AVX2 void add_rows_apart_avx2(const char* matrix, const std::uint32_t* rows, const std::uint32_t* starts, std::size_t count,
    const std::uint16_t* owners, std::size_t blocks, float* totals, std::uint32_t* row_counts) noexcept {
  add_rows_apart_body(matrix, rows, starts, count, owners, blocks, totals, row_counts);
}

DJFAST_AVX512 void add_rows_apart_avx512(const char* matrix, const std::uint32_t* rows, const std::uint32_t* starts, std::size_t count,
    const std::uint16_t* owners, std::size_t blocks, float* totals, std::uint32_t* row_counts) noexcept {
  add_rows_apart_body(matrix, rows, starts, count, owners, blocks, totals, row_counts);
}

#endif

}  // namespace

std::size_t serial::pack_words(const MarkedText& marked, const char*& word_begin, const WordPlace* places,
                               std::size_t place_count, PendingWord* words) noexcept {
  return pack_words_body(marked, word_begin, places, place_count, words);
}

std::size_t serial::find_words(const PendingWord* words, std::size_t count, WordPlace* places, const char* table_sums,
                               std::size_t stride, const char** sums, std::uint32_t* row_counts,
                               std::uint32_t* missing) noexcept {
  std::size_t missing_count = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const PendingWord& word = words[i];
    const auto& keys = places[word.place].keys;
    std::size_t way = 0;
    while (way < table_ways && ((keys[way][0] ^ word.key[0]) | ((keys[way][1] ^ word.key[1]) & ~notes_mask)) != 0) {
      ++way;
    }
    if (way == table_ways || word.length > longest_table_word) {
      missing[missing_count++] = static_cast<std::uint32_t>(i);
      continue;
    }
    take_from_table(word, way, places, table_sums, stride, sums[i], row_counts[i]);
  }
  return missing_count;
}

void serial::add_vectors(const char* const* vectors, std::size_t count, std::size_t blocks, float* total) noexcept {
  add_vectors_body(vectors, count, blocks, total);
}

void serial::add_rows(const char* matrix, const std::uint32_t* rows, std::size_t count, std::size_t blocks,
                      float* total) noexcept {
  add_rows_body(matrix, rows, count, blocks, total);
}

std::size_t pack_words(const MarkedText& marked, const char*& word_begin, const WordPlace* places,
                       std::size_t place_count, PendingWord* words) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return pack_words_avx512(marked, word_begin, places, place_count, words);
    case Isa::avx2: return pack_words_avx2(marked, word_begin, places, place_count, words);
    case Isa::serial: break;
  }
#endif
  return serial::pack_words(marked, word_begin, places, place_count, words);
}

std::size_t find_words(const PendingWord* words, std::size_t count, WordPlace* places, const char* table_sums,
                       std::size_t stride, const char** sums, std::uint32_t* row_counts,
                       std::uint32_t* missing) noexcept {
#if DJFAST_X86
  if (active_isa() == Isa::avx512) {
    return find_words_avx512(words, count, places, table_sums, stride, sums, row_counts, missing);
  }
#endif
  return serial::find_words(words, count, places, table_sums, stride, sums, row_counts, missing);
}

void add_vectors(const char* const* vectors, std::size_t count, std::size_t blocks, float* total) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return add_vectors_avx512(vectors, count, blocks, total);
    case Isa::avx2: return add_vectors_avx2(vectors, count, blocks, total);
    case Isa::serial: break;
  }
#endif
  serial::add_vectors(vectors, count, blocks, total);
}

void add_rows(const char* matrix, const std::uint32_t* rows, std::size_t count, std::size_t blocks,
              float* total) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return add_rows_avx512(matrix, rows, count, blocks, total);
    case Isa::avx2: return add_rows_avx2(matrix, rows, count, blocks, total);
    case Isa::serial: break;
  }
#endif
  serial::add_rows(matrix, rows, count, blocks, total);
}

void serial::add_rows_apart(const char* matrix, const std::uint32_t* rows, const std::uint32_t* starts, std::size_t count,
    const std::uint16_t* owners, std::size_t blocks, float* totals, std::uint32_t* row_counts) noexcept {
  add_rows_apart_body(matrix, rows, starts, count, owners, blocks, totals, row_counts);
}

void add_rows_apart(const char* matrix, const std::uint32_t* rows, const std::uint32_t* starts, std::size_t count,
    const std::uint16_t* owners, std::size_t blocks, float* totals, std::uint32_t* row_counts) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512:
      return add_rows_apart_avx512(matrix, rows, starts, count, owners, blocks, totals, row_counts);
    case Isa::avx2: return add_rows_apart_avx2(matrix, rows, starts, count, owners, blocks, totals, row_counts);
    case Isa::serial: break;
  }
#endif
  serial::add_rows_apart(matrix, rows, starts, count, owners, blocks, totals, row_counts);
}

}  // namespace djfast::kernels
