#include "cpp/text/word_set.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "djfast/errors.hpp"
#include "kernels/text/word_keys.hpp"

namespace djfast::text {

using kernels::text::WordKey;

WordSet::WordSet(std::vector<std::string> words) : words_(std::move(words)) {
  std::ranges::sort(words_);
  words_.erase(std::ranges::unique(words_).begin(), words_.end());
  constexpr std::uint64_t largest = std::uint64_t{1} << 24;
  for (std::uint64_t size = std::bit_ceil(2 * words_.size() + 2); size < largest; size *= 2) {
    slots_.assign(size, {.hash = 0, .word = unused});
    mask_ = size - 1;
    if (place_all()) return;
  }
  throw UserError("word list cannot be indexed: too many words, or words chosen to collide");
}

bool WordSet::place_all() {
  for (std::size_t word = 0; word < words_.size(); ++word) {
    const std::string_view text = words_[word];
    WordKey key{};
    kernels::text::word_keys().load_keys(&text, 1, &key);
    if (!place({.hash = kernels::text::hash_of(key, text.size()), .word = word})) return false;
  }
  tags_.assign(slots_.size(), 0);
  for (std::size_t at = 0; at < slots_.size(); ++at) {
    if (slots_[at].word != unused) tags_[at] = tag_of(slots_[at].hash);
  }
  return true;
}

bool WordSet::place(Slot slot) {
  constexpr int most_moves = 64;
  std::size_t at = first_slot(slot.hash);
  for (int move = 0; move < most_moves; ++move) {
    std::swap(slot, slots_[at]);
    if (slot.word == unused) return true;
    at = at == first_slot(slot.hash) ? second_slot(slot.hash) : first_slot(slot.hash);
  }
  return false;
}

bool WordSet::holds(const Slot& slot, std::uint64_t hash, std::string_view word) const noexcept {
  return slot.hash == hash && slot.word != unused && words_[slot.word] == word;
}

std::size_t WordSet::count(const RowWords& words, std::uint32_t* candidates) const noexcept {
  const std::uint16_t* const tags = tags_.data();
  std::size_t possible = 0;
  for (std::size_t i = 0; i < words.hashes.size(); ++i) {
    const std::uint64_t hash = words.hashes[i];
    const std::uint16_t tag = tag_of(hash);
    candidates[possible] = static_cast<std::uint32_t>(i);
    possible += (tags[first_slot(hash)] == tag) | (tags[second_slot(hash)] == tag) ? 1 : 0;
  }
  std::size_t found = 0;
  for (std::size_t i = 0; i < possible; ++i) {
    const std::uint32_t word = candidates[i];
    const std::uint64_t hash = words.hashes[word];
    const auto is_in = [&](std::size_t slot) { return holds(slots_[slot], hash, words.distinct[word]); };
    found += is_in(first_slot(hash)) || is_in(second_slot(hash)) ? words.counts[word] : 0;
  }
  return found;
}

}  // namespace djfast::text
