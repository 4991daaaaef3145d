// How often the n-grams of a sequence repeat.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

#include "djfast/scratch.hpp"

namespace djfast::text {

/// How often items occur that occur more than once. Small counts take no memory of their own: most are small.
class Occurrences {
 public:
  void clear() noexcept {
    std::fill(std::begin(small_), std::end(small_), 0);
    large_.clear();
  }
  void add(std::span<const std::uint32_t> counts) {
    for (const std::uint32_t count : counts) {
      if (count < small) {
        ++small_[count];
      } else {
        large_.push_back(count);
      }
    }
  }
  /// Sum of the `most` largest counts. Their order is lost.
  std::uint64_t sum_of_largest(std::size_t most);

 private:
  static constexpr std::uint32_t small = 64;

  std::size_t small_[small] = {};  // how many have a count
  Scratch<std::uint32_t> large_;
};

struct GramCounts {
  std::size_t grams = 0;  // length - n + 1, or 0
  std::size_t distinct = 0;
  std::size_t single = 0;           // distinct ones that occur once
  Occurrences* repeated = nullptr;  // of the others, if there are n-grams; valid until the thread's next call
};

/// Counts the n-grams of `length` codes. 8 readable bytes must follow the codes.
GramCounts count_grams(const std::uint8_t* codes, std::size_t length, std::size_t n);
GramCounts count_grams(const std::uint16_t* codes, std::size_t length, std::size_t n);
GramCounts count_grams(const std::uint32_t* codes, std::size_t length, std::size_t n);

/// How many of the n-grams that start at `starts`, ascending, are not equal to any other of them. As above, 8
/// readable bytes must follow the codes.
std::size_t count_single_grams(const std::uint32_t* codes, std::span<const std::uint32_t> starts, std::size_t n);

}  // namespace djfast::text
