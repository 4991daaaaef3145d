// A fixed set of words with fast membership.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "djfast/column.hpp"

namespace djfast::text {

/// Every word lies in one of the two slots that its hash names, so that a look-up never searches.
class WordSet {
 public:
  explicit WordSet(std::vector<std::string> words);

  /// How often the words of the set occur among those of a row, all together. `candidates` has room for a number per
  /// distinct word.
  std::size_t count(const RowWords& words, std::uint32_t* candidates) const noexcept;

 private:
  struct Slot {
    std::uint64_t hash;
    std::size_t word;  // in words_; `unused` when there is none
  };
  static constexpr std::size_t unused = ~std::size_t{0};

  std::size_t first_slot(std::uint64_t hash) const noexcept { return hash & mask_; }
  std::size_t second_slot(std::uint64_t hash) const noexcept { return hash >> 24 & mask_; }
  static std::uint16_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint16_t>(hash >> 48); }
  bool holds(const Slot& slot, std::uint64_t hash, std::string_view word) const noexcept;
  bool place_all();
  bool place(Slot slot);

  std::vector<std::string> words_;
  std::vector<Slot> slots_;
  std::vector<std::uint16_t> tags_;  // of each slot's hash: few words get past them, and they stay in the first cache
  std::uint64_t mask_ = 0;
};

}  // namespace djfast::text
