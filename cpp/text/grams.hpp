// How often the n-grams of a sequence repeat.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace djfast::text {

struct GramCounts {
  std::size_t grams = 0;                  // length - n + 1, or 0
  std::size_t distinct = 0;
  std::size_t single = 0;                 // distinct ones that occur once
  std::span<const std::uint32_t> repeated;  // how often each of the others occurs; valid until the thread's next call
};

/// Counts the n-grams of `length` codes. 8 readable bytes must follow the codes.
GramCounts count_grams(const std::uint8_t* codes, std::size_t length, std::size_t n);
GramCounts count_grams(const std::uint16_t* codes, std::size_t length, std::size_t n);
GramCounts count_grams(const std::uint32_t* codes, std::size_t length, std::size_t n);

/// How many of the n-grams that start at `starts`, ascending, are not equal to any other of them. As above, 8
/// readable bytes must follow the codes.
std::size_t count_single_grams(const std::uint32_t* codes, std::span<const std::uint32_t> starts, std::size_t n);

}  // namespace djfast::text
