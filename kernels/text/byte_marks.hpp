// Which bytes of a text belong to a set, as a bitmap: how rewriting functions skip what they need not look at.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace djfast::kernels {

/// A set of bytes in the form that vector look-ups want: byte b is in the set when
/// `by_low[b & 15] & by_high[b >> 4]` is not zero. One bit stands for each different row of 16 bytes, so a set may have
/// at most 8 different rows that are not empty.
class ByteSet {
 public:
  /// The set of the bytes for which `contains(byte)` is true.
  template <class Contains>
  constexpr explicit ByteSet(Contains contains) : ByteSet(contains, [](std::size_t rows) { return rows; }) {}

  /// A set of at least those bytes, for a `contains` that is known only at run time: rows beyond the eighth different
  /// one are thrown together, so that such a set has some bytes too many.
  template <class Contains>
  static constexpr ByteSet covering(Contains contains) {
    return ByteSet(contains, [](std::size_t rows) { return rows < 8 ? rows : 7; });
  }

  constexpr bool has(char byte) const noexcept {
    const auto b = static_cast<unsigned char>(byte);
    return (by_low_[b & 15] & by_high_[b >> 4]) != 0;
  }
  const std::uint8_t* by_low() const noexcept { return by_low_.data(); }
  const std::uint8_t* by_high() const noexcept { return by_high_.data(); }

 private:
  /// `place_of(n)` is the place of the n-th different row among the eight.
  template <class Contains, class Place>
  constexpr ByteSet(Contains contains, Place place_of) {
    std::array<std::uint16_t, 16> rows{};
    std::size_t row_count = 0;
    for (unsigned high = 0; high < 16; ++high) {
      std::uint16_t row = 0;
      for (unsigned low = 0; low < 16; ++low) {
        if (contains(static_cast<unsigned char>(high << 4 | low))) row = static_cast<std::uint16_t>(row | 1U << low);
      }
      if (row == 0) continue;
      std::size_t same = 0;
      while (same < row_count && rows[same] != row) ++same;
      if (same == row_count) rows[row_count++] = row;
      const auto place = static_cast<std::uint8_t>(places.at(place_of(same)));
      by_high_[high] = place;
      for (unsigned low = 0; low < 16; ++low) {
        if ((row >> low & 1U) != 0) by_low_[low] = static_cast<std::uint8_t>(by_low_[low] | place);
      }
    }
  }

  static constexpr std::array<std::uint8_t, 8> places{1, 2, 4, 8, 16, 32, 64, 128};  // a ninth is an error

  alignas(16) std::array<std::uint8_t, 16> by_low_{};
  alignas(16) std::array<std::uint8_t, 16> by_high_{};
};

/// Bytes that one call of `mark_bytes` may look at.
inline constexpr std::size_t max_marked_bytes = 4096;

/// Sets bit i % 64 of `marks[i / 64]` where byte i is in the set, and clears the other bits of those words.
/// `bytes` holds at most `max_marked_bytes`; nothing past its end is read.
void mark_bytes(std::string_view bytes, const ByteSet& set, std::uint64_t* marks) noexcept;

}  // namespace djfast::kernels
