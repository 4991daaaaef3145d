// The columns that functions read and write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace djfast {

/// One text per row, valid UTF-8. The bytes belong to the batch's input or arena and outlive every function.
using Texts = std::vector<std::string_view>;
using Int64s = std::vector<std::int64_t>;
using Doubles = std::vector<double>;
using Booleans = std::vector<std::uint8_t>;

/// A list of strings per row: items [offsets[row], offsets[row + 1]) belong to `row`. Rows that were not alive when the
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

/// Column types, by the names that function declarations use. `json` is a column of strings that are JSON values, the empty
/// text where a row has none.
enum class Type { text, int64, double_, boolean, text_list, number_list, digest, counted_words, json };

constexpr std::string_view name_of(Type type) noexcept {
  constexpr std::string_view names[] = {"text",        "int64",  "double",        "boolean", "text_list",
                                        "number_list", "digest", "counted_words", "json"};
  return names[static_cast<std::size_t>(type)];
}

/// The types that an input of a function takes: one, or any of several.
class Types {
 public:
  constexpr Types(Type type) noexcept : bits_(1U << static_cast<unsigned>(type)) {}  // not explicit: most inputs take one

  constexpr Types with(Types more) const noexcept {
    Types both = *this;
    both.bits_ |= more.bits_;
    return both;
  }
  constexpr bool has(Type type) const noexcept { return (bits_ >> static_cast<unsigned>(type) & 1) != 0; }

  /// Their names, as in "int64 | double".
  std::string names() const {
    std::string all;
    for (int type = 0; type <= static_cast<int>(Type::json); ++type) {
      if (!has(static_cast<Type>(type))) continue;
      if (!all.empty()) all += " | ";
      all += name_of(static_cast<Type>(type));
    }
    return all;
  }

 private:
  std::uint32_t bits_;
};

constexpr Types operator|(Types a, Types b) noexcept { return a.with(b); }
constexpr Types operator|(Type a, Type b) noexcept { return Types{a}.with(b); }  // C++ converts no enumerators here

/// A column has one entry per row of the batch, also for rows that are no longer alive: those are unspecified
/// and never read.
using Column = std::variant<Texts, Int64s, Doubles, Booleans, TextLists, NumberLists, Digests, CountedWords>;

/// Type of a column; that of JSON is `text`.
inline Type type_of(const Column& column) noexcept { return static_cast<Type>(column.index()); }

/// Entries of a column.
std::size_t size_of(const Column& column) noexcept;

}  // namespace djfast
