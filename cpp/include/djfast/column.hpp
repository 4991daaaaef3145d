// The columns that functions read and write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace djfast {

/// One text per row, valid UTF-8. The bytes belong to the batch's input or arena and outlive every function.
using Texts = std::vector<std::string_view>;
using Int64s = std::vector<std::int64_t>;
using Doubles = std::vector<double>;
using Booleans = std::vector<std::uint8_t>;

/// A list of texts per row: items [offsets[row], offsets[row + 1]) belong to `row`. Rows that were not alive when the
/// column was made have an empty list.
struct TextLists {
  std::vector<std::uint32_t> offsets;  // row_count + 1
  std::vector<std::string_view> items;
};

/// A list of 64-bit numbers per row, laid out like TextLists (hashes, line lengths, band keys).
struct NumberLists {
  std::vector<std::uint32_t> offsets;
  std::vector<std::uint64_t> items;
};

/// The words of a row with equal ones found: functions then compare numbers, and look at each distinct word once. The
/// arrays lie in the batch's arena; the last three have an entry per distinct word, in the order of first occurrence.
struct RowWords {
  std::span<const std::uint32_t> numbers;      // of each word in order: the entry of its distinct word
  std::span<const std::string_view> distinct;
  std::span<const std::uint64_t> hashes;       // kernels::text::hash_of
  std::span<const std::uint32_t> counts;       // how often each occurs
};
using CountedWords = std::vector<RowWords>;

/// `width` bytes per row, row after row (digests).
struct Digests {
  std::size_t width = 0;
  std::vector<std::uint8_t> bytes;
};

/// Column types, by the names that function declarations use. `json` is a column of texts that are JSON values, the empty
/// text where a row has none.
enum class Type { text, int64, double_, boolean, text_list, number_list, digest, counted_words, json };

/// A column has one entry per row of the batch, also for rows that are no longer alive: those are unspecified
/// and never read.
using Column = std::variant<Texts, Int64s, Doubles, Booleans, TextLists, NumberLists, Digests, CountedWords>;

inline Type type_of(const Column& column) noexcept { return static_cast<Type>(column.index()); }

}  // namespace djfast
