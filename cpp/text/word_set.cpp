#include "cpp/text/word_set.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "djfast/errors.hpp"

namespace djfast::text {

using kernels::text::exact_key_bytes;
using kernels::text::hash_of;
using kernels::text::WordKey;

WordSet::WordSet(std::vector<std::string> words) : words_(std::move(words)) {
  std::ranges::sort(words_);
  words_.erase(std::ranges::unique(words_).begin(), words_.end());
  constexpr std::uint64_t largest = std::uint64_t{1} << 31;
  for (std::uint64_t size = std::bit_ceil(3 * words_.size() + 2); size < largest; size *= 2) {
    slots_.assign(size, {.key = {0, 0}, .size = unused, .word = 0});
    mask_ = size - 1;
    if (place_all()) return;
  }
  throw UserError("word list cannot be indexed: too many words, or words chosen to collide");
}

bool WordSet::place_all() {
  for (std::size_t word = 0; word < words_.size(); ++word) {
    const std::string_view text = words_[word];
    Slot slot{.key = {0, 0}, .size = text.size(), .word = word};
    kernels::text::word_keys().load_keys(&text, 1, &slot.key);
    if (!place(slot)) return false;
  }
  return true;
}

bool WordSet::place(Slot slot) {
  constexpr int most_moves = 64;
  std::size_t at = first_slot(hash_of(slot.key, slot.size));
  for (int move = 0; move < most_moves; ++move) {
    std::swap(slot, slots_[at]);
    if (slot.size == unused) return true;
    const std::uint64_t hash = hash_of(slot.key, slot.size);
    at = at == first_slot(hash) ? second_slot(hash) : first_slot(hash);
  }
  return false;
}

std::size_t WordSet::count(const std::string_view* words, const WordKey* keys, std::size_t count) const noexcept {
  const auto differs = [](const Slot& slot, const WordKey& key, std::uint64_t size) {
    return (slot.key.low ^ key.low) | (slot.key.high ^ key.high) | (slot.size ^ size);
  };
  std::size_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t size = words[i].size();
    const std::uint64_t hash = hash_of(keys[i], size);
    const Slot& first = slots_[first_slot(hash)];
    const Slot& second = slots_[second_slot(hash)];
    const bool in_first = differs(first, keys[i], size) == 0;
    const bool in_second = differs(second, keys[i], size) == 0;
    if (size <= exact_key_bytes) {
      found += (in_first | in_second) ? 1 : 0;
    } else if (in_first || in_second) {
      found += (in_first && words_[first.word] == words[i]) || (in_second && words_[second.word] == words[i]) ? 1 : 0;
    }
  }
  return found;
}

}  // namespace djfast::text
