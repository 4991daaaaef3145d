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

/// Code points that are looked at together.
inline constexpr std::size_t subword_starts = 16;

/// Words in their frames, `<word>`, one after the other. 16 more entries of both arrays are readable, and do not matter.
struct FramedWords {
  const std::uint32_t* code_points;  // each given as its UTF-8 bytes, the first one lowest
  // Code points from this one to the end of its frame, both counted; at most most_left. The mark is on a frame's first.
  const std::uint8_t* left;
  std::size_t starts;  // n-grams start at these first code points
};
inline constexpr std::uint8_t first_in_frame = 0x80;
inline constexpr std::uint8_t most_left = 0x7F;

/// Which n-grams count, and where.
struct SubwordBuckets {
  std::size_t shortest;  // in code points, from 1
  std::size_t longest;
  Divisor bucket_of;
  const std::uint32_t* marks;  // bit b % 32 of marks[b / 32] says that bucket b has a row; null: every one has
};

/// N-grams that have a row: their buckets and where they start.
struct KeptSubwords {
  std::uint32_t* buckets;
  std::uint32_t* starts;
};

/// Writes the code points of valid UTF-8 text as FramedWords has them, and returns the end of what it wrote. Room for
/// 16 more of them than the text has bytes may be written.
std::uint32_t* unpack_code_points(const char* text, std::size_t size, std::uint32_t* out) noexcept;

/// Writes the n-grams of words that have a row, those of `length` to kept[length - shortest], in the order of their
/// starts, and moves the pointers there to the end of what was written; 16 more may be written. The frame alone is no
/// n-gram.
void keep_subwords(const FramedWords& words, const SubwordBuckets& buckets, KeptSubwords* kept) noexcept;

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
void keep_subwords(const FramedWords& words, const SubwordBuckets& buckets, KeptSubwords* kept) noexcept;
void places_of_marks(std::uint32_t* buckets, std::size_t count, const MarkedBuckets& marked) noexcept;
}  // namespace serial

}  // namespace djfast::kernels
