// Sums of vectors over the words of a text, with the sums of short words kept in a table.
#pragma once

#include <cstddef>
#include <cstdint>

namespace djfast::kernels {

/// Words of up to 15 bytes have a place in the table.
inline constexpr std::size_t longest_table_word = 15;
inline constexpr std::size_t table_ways = 4;

/// The four words of a place. A key is the word, padded with zeros to 15 bytes (words hold no NUL), and a byte of
/// notes: the number of rows in its sum, and whether it was met again lately. Empty: all zeros.
struct alignas(64) WordPlace {
  std::uint64_t keys[table_ways][2];
};
inline constexpr int notes_shift = 56;  // of keys[way][1]
inline constexpr std::uint64_t notes_mask = std::uint64_t{0xFF} << notes_shift;
inline constexpr std::uint64_t met_again = std::uint64_t{0x80} << notes_shift;
inline constexpr std::uint32_t most_table_rows = 0x7F;

/// A word on its way into the sum.
struct PendingWord {
  std::uint64_t key[2];  // the first 15 bytes at most
  const char* text;
  std::uint32_t length;
  std::uint32_t place;
};

/// Part of a text whose separators are marked: bit i of `separators` belongs to text[i].
struct MarkedText {
  const char* text;
  const char* readable_end;  // nothing is read from here on
  const std::uint64_t* separators;
  std::size_t mark_count;
};

/// Writes the words that end in `marked` and asks for the memory of their places; returns how many there are.
/// `word_begin` is where the first one begins, and is moved to the beginning of the word after the last separator.
/// `places` counts a power of two. `words` needs room for one more word than there are separators.
std::size_t pack_words(const MarkedText& marked, const char*& word_begin, const WordPlace* places,
                       std::size_t place_count, PendingWord* words) noexcept;

/// Finds words in the table. For those it holds, writes where their sums of `stride` bytes are, and asks for that
/// memory, and how many rows are in them. The indexes of the others are written to `missing`; returns their number.
std::size_t find_words(const PendingWord* words, std::size_t count, WordPlace* places, const char* table_sums,
                       std::size_t stride, const char** sums, std::uint32_t* row_counts,
                       std::uint32_t* missing) noexcept;

/// Adds the sum of `count` vectors of 16 * `blocks` floats, in their order, to `total`. All are aligned to 64 bytes.
void add_vectors(const char* const* vectors, std::size_t count, std::size_t blocks, float* total) noexcept;

/// Adds rows of a matrix of 16 * `blocks` floats a row, in their order, to `total`.
void add_rows(const char* matrix, const std::uint32_t* rows, std::size_t count, std::size_t blocks,
              float* total) noexcept;

/// Adds row `rows[i]` to the vector, of 16 * `blocks` floats, and to the count of owners[starts[i]], in the order of i.
void add_rows_apart(const char* matrix, const std::uint32_t* rows, const std::uint32_t* starts, std::size_t count,
                    const std::uint16_t* owners, std::size_t blocks, float* totals, std::uint32_t* row_counts) noexcept;

namespace serial {
std::size_t pack_words(const MarkedText& marked, const char*& word_begin, const WordPlace* places,
                       std::size_t place_count, PendingWord* words) noexcept;
std::size_t find_words(const PendingWord* words, std::size_t count, WordPlace* places, const char* table_sums,
                       std::size_t stride, const char** sums, std::uint32_t* row_counts,
                       std::uint32_t* missing) noexcept;
void add_vectors(const char* const* vectors, std::size_t count, std::size_t blocks, float* total) noexcept;
void add_rows(const char* matrix, const std::uint32_t* rows, std::size_t count, std::size_t blocks,
              float* total) noexcept;
void add_rows_apart(const char* matrix, const std::uint32_t* rows, const std::uint32_t* starts, std::size_t count,
                    const std::uint16_t* owners, std::size_t blocks, float* totals, std::uint32_t* row_counts) noexcept;
}  // namespace serial

}  // namespace djfast::kernels
