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
  constexpr std::uint64_t largest = std::uint64_t{1} << 24;
  for (std::uint64_t size = std::bit_ceil(2 * words_.size() + 2); size < largest; size *= 2) {
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
  tags_.assign(slots_.size(), 0);
  for (std::size_t at = 0; at < slots_.size(); ++at) {
    if (slots_[at].size != unused) tags_[at] = tag_of(hash_of(slots_[at].key, slots_[at].size));
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

bool WordSet::contains(std::string_view word, const WordKey& key) const noexcept {
  const std::uint64_t hash = hash_of(key, word.size());
  const auto holds = [&](const Slot& slot) {
    const std::uint64_t difference =
        (slot.key.low ^ key.low) | (slot.key.high ^ key.high) | (slot.size ^ std::uint64_t{word.size()});
    if (word.size() <= exact_key_bytes) return difference == 0;
    return difference == 0 && words_[slot.word] == word;
  };
  return holds(slots_[first_slot(hash)]) | holds(slots_[second_slot(hash)]);
}

std::size_t WordSet::count(std::span<const CountedWord> words, std::uint32_t* candidates) const noexcept {
  const std::uint16_t* const tags = tags_.data();
  std::size_t possible = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint64_t hash = hash_of(words[i].key, words[i].size);
    const std::uint16_t tag = tag_of(hash);
    candidates[possible] = static_cast<std::uint32_t>(i);
    possible += (tags[first_slot(hash)] == tag) | (tags[second_slot(hash)] == tag) ? 1 : 0;
  }
  std::size_t found = 0;
  for (std::size_t i = 0; i < possible; ++i) {
    const CountedWord& word = words[candidates[i]];
    found += contains(word.text(), word.key) ? word.count : 0;
  }
  return found;
}

}  // namespace djfast::text
