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

/// Code points of a word in its frame, `<word>`, or a part of it. Each is given as its UTF-8 bytes, the first one
/// lowest. 16 more are readable, and do not matter.
struct FramedPart {
  const std::uint32_t* code_points;
  std::size_t length;
  std::size_t starts;  // n-grams start at these first code points
  bool is_first = true;  // begins with the word's <
  bool is_last = true;   // ends with the word's >
};

/// Which n-grams count, and where.
struct SubwordBuckets {
  std::size_t shortest;  // in code points, from 1
  std::size_t longest;
  Divisor bucket_of;
  const std::uint32_t* marks;  // bit b % 32 of marks[b / 32] says that bucket b has a row; null: every one has
};

/// Writes the code points of valid UTF-8 text as FramedPart has them, and returns the end of what it wrote. Room for
/// 16 more of them than the text has bytes may be written.
std::uint32_t* unpack_code_points(const char* text, std::size_t size, std::uint32_t* out) noexcept;

/// Writes the buckets that have a row of all n-grams of a part: for 16 starts after the other, by length, by start.
/// The frame alone is no n-gram. Returns the end of what it wrote; 16 more may be written.
std::uint32_t* keep_subwords(const FramedPart& part, const SubwordBuckets& buckets, std::uint32_t* out) noexcept;

/// Bit b % 32 of marks[b / 32] says that bucket b has a row, before[b / 64] is the number of marks before that of
/// bucket b / 64 * 64. Kept small, so that they stay in the processor's cache.
struct MarkedBuckets {
  const std::uint32_t* marks;
  const std::uint32_t* before;
};

/// Replaces marked buckets by the number of marks before theirs.
void places_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedBuckets& marked) noexcept;

namespace serial {
std::uint32_t* unpack_code_points(const char* text, std::size_t size, std::uint32_t* out) noexcept;
std::uint32_t* keep_subwords(const FramedPart& part, const SubwordBuckets& buckets, std::uint32_t* out) noexcept;
void places_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedBuckets& marked) noexcept;
}  // namespace serial

}  // namespace djfast::kernels
