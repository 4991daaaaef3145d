// A fixed set of words with fast membership.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "djfast/column.hpp"
#include "kernels/text/word_keys.hpp"

namespace djfast::text {

/// Every word lies in one of the two slots that its hash names, so that a look-up never searches.
class WordSet {
 public:
  explicit WordSet(std::vector<std::string> words);

  /// How often the words of the set occur among `words`, all together. `candidates` has room for a number per word.
  std::size_t count(std::span<const CountedWord> words, std::uint32_t* candidates) const noexcept;

 private:
  struct Slot {
    kernels::text::WordKey key;
    std::uint64_t size;  // `unused` when there is no word
    std::size_t word;    // in words_
  };
  static constexpr std::uint64_t unused = ~std::uint64_t{0};

  std::size_t first_slot(std::uint64_t hash) const noexcept { return hash & mask_; }
  std::size_t second_slot(std::uint64_t hash) const noexcept { return hash >> 24 & mask_; }
  static std::uint16_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint16_t>(hash >> 48); }
  bool contains(std::string_view word, const kernels::text::WordKey& key) const noexcept;
  bool place_all();
  bool place(Slot slot);

  std::vector<std::string> words_;
  std::vector<Slot> slots_;
  std::vector<std::uint16_t> tags_;  // of each slot's hash: few words get past them, and they stay in the first cache
  std::uint64_t mask_ = 0;
};

}  // namespace djfast::text
