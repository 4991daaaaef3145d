// Hashes of a word's character n-grams, as fastText numbers them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace djfast::kernels {

/// value % divisor for divisors from 1 to 2^31 - 1, in operations that vectorise.
struct Divisor {
  std::uint32_t divisor = 1;
  std::uint32_t reciprocal = 0;  // floor(2^(32 + shift) / divisor), in (2^31, 2^32)
  std::uint32_t shift = 0;

  Divisor() = default;
  explicit Divisor(std::uint32_t of) noexcept;
};

inline constexpr std::size_t subword_starts = 16;

/// Buckets of all n-grams of `shortest` to `longest` code points (1 <= shortest) that start at one of the 16 first
/// code points of `code_points`: that of length n from start s is written to buckets[(n - 1) * 16 + s].
///
/// A code point is given as its UTF-8 bytes, the first one lowest. 16 + longest of them are read.
void hash_subwords(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest, const Divisor& divisor,
                   std::uint32_t* buckets) noexcept;

/// Rows of some buckets: bit b % 32 of marks[b / 32] says that bucket b has one, before[b / 32] is the number of marks
/// in the words before, and rows[n] is the row of the n-th mark.
struct MarkedRows {
  const std::uint32_t* marks;
  const std::uint32_t* before;
  const std::uint32_t* rows;
};

/// Writes those of `count` <= 16 buckets that are marked, in their order; returns the end of what it wrote. `out` has
/// room for 16, and may be written up to there.
std::uint32_t* keep_marked(const std::uint32_t* buckets, std::size_t count, const std::uint32_t* marks,
                           std::uint32_t* out) noexcept;

/// Turns marked buckets into their rows.
void rows_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedRows& marked) noexcept;

namespace serial {
void hash_subwords(const std::uint32_t* code_points, std::size_t shortest, std::size_t longest, const Divisor& divisor,
                   std::uint32_t* buckets) noexcept;
std::uint32_t* keep_marked(const std::uint32_t* buckets, std::size_t count, const std::uint32_t* marks,
                           std::uint32_t* out) noexcept;
void rows_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedRows& marked) noexcept;
}  // namespace serial

}  // namespace djfast::kernels
