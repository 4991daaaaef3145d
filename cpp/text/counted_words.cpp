#include "cpp/text/counted_words.hpp"

#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "cpp/text/groups.hpp"
#include "djfast/scratch.hpp"
#include "kernels/hash/placement.hpp"
#include "kernels/text/word_keys.hpp"

namespace djfast::text {
namespace {

using kernels::text::exact_key_bytes;
using kernels::text::WordKey;

/// The words of one text as items of group_equal.
class Words {
 public:
  Words(const std::string_view* words, const WordKey* keys) : words_(words), keys_(keys) {}

  void place(std::size_t count, unsigned bits, std::uint32_t* slots) {
    begin_round(0);
    for (std::size_t word = 0; word < count; ++word) slots[word] = static_cast<std::uint32_t>(hash(word) >> (64 - bits));
  }
  void begin_round(unsigned round) noexcept { multiplier_ = round_multiplier(round, 0); }
  std::uint64_t hash(std::size_t word) const noexcept {
    return kernels::text::hash_of(keys_[word], words_[word].size()) * multiplier_;
  }
  bool equal(std::size_t a, std::size_t b) const noexcept {
    const std::size_t size = words_[a].size();
    const std::uint64_t difference =
        (keys_[a].low ^ keys_[b].low) | (keys_[a].high ^ keys_[b].high) | (size ^ words_[b].size());
    return size <= exact_key_bytes ? difference == 0 : difference == 0 && words_[a] == words_[b];
  }
  bool less(std::size_t a, std::size_t b) const noexcept {
    const int order = words_[a].compare(words_[b]);
    return order != 0 ? order < 0 : a < b;
  }

 private:
  const std::string_view* words_;
  const WordKey* keys_;
  std::uint64_t multiplier_ = 1;
};

template <class Index>
RowWords count_indexed(std::span<const std::string_view> words, Arena& arena) {
  thread_local Scratch<WordKey> key_room;
  thread_local Scratch<Index> leader_room;
  thread_local Scratch<Index> place_room;
  thread_local GroupScratch<Index> scratch;
  const std::size_t count = words.size();
  WordKey* const keys = key_room.with_room(count);
  Index* const leaders = leader_room.with_room(count);  // of each word: the first word equal to it
  Index* const places = place_room.with_room(count + 1);    // of each distinct word: where it first occurs
  kernels::text::word_keys().load_keys(words.data(), count, keys);
  Words items{words.data(), keys};
  std::iota(leaders, leaders + count, Index{0});
  const std::size_t distinct_count =
      group_equal<Index>(count, items, scratch, [leaders](Index word, Index leader, Index equal) {
        leaders[word] = static_cast<Index>(word - (word - leader) * equal);
      });

  // A leader comes before those it leads. Nothing here branches: whether a word is new is hard to predict.
  const auto numbers = arena.array<std::uint32_t>(count);
  std::uint32_t next = 0;
  for (std::size_t word = 0; word < count; ++word) {
    numbers[word] = next;
    places[next] = static_cast<Index>(word);
    next += leaders[word] == word ? 1 : 0;
    numbers[word] = numbers[leaders[word]];
  }
  const auto distinct = arena.array<std::string_view>(distinct_count);
  const auto hashes = arena.array<std::uint64_t>(distinct_count);
  const auto counts = arena.array<std::uint32_t>(distinct_count);
  for (std::size_t number = 0; number < distinct_count; ++number) {
    const std::size_t place = places[number];
    distinct[number] = words[place];
    hashes[number] = kernels::text::hash_of(keys[place], words[place].size());
    counts[number] = 0;
  }
  for (const std::uint32_t number : numbers) ++counts[number];
  return {numbers, distinct, hashes, counts};
}

/// Numbers words in the order in which they first come.
class WordTable {
 public:
  WordTable() : places_(1 << 12) {}

  std::uint32_t number_of(std::string_view word) {
    const std::uint64_t hash = kernels::place_of(word);
    std::size_t at = hash & (places_.size() - 1);
    for (; places_[at] != 0; at = (at + 1) & (places_.size() - 1)) {
      const std::uint32_t number = places_[at] - 1;
      if (tags_[number] == tag_of(hash) && distinct_[number] == word) return number;
    }
    places_[at] = static_cast<std::uint32_t>(distinct_.size() + 1);
    distinct_.push_back(word);
    tags_.push_back(tag_of(hash));
    if (2 * distinct_.size() > places_.size()) grow();
    return static_cast<std::uint32_t>(distinct_.size() - 1);
  }

  const std::vector<std::string_view>& distinct() const noexcept { return distinct_; }

 private:
  static std::uint8_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint8_t>(hash >> 56); }
  void grow() {
    places_.assign(2 * places_.size(), 0);
    for (std::uint32_t number = 0; number < distinct_.size(); ++number) {
      std::size_t at = kernels::place_of(distinct_[number]) & (places_.size() - 1);
      while (places_[at] != 0) at = (at + 1) & (places_.size() - 1);
      places_[at] = number + 1;
    }
  }

  std::vector<std::uint32_t> places_;  // 1 + the number of a word, 0 is free; a power of two of them
  std::vector<std::string_view> distinct_;
  std::vector<std::uint8_t> tags_;  // of their hashes: few words are compared with others
};

}  // namespace

RowWords count_words_of_parts(const std::function<void(const VisitWords&)>& parts, Arena& arena) {
  std::size_t count = 0;
  parts([&](std::span<const std::string_view> words) { count += words.size(); });
  const auto numbers = arena.array<std::uint32_t>(count);
  WordTable table;
  auto number = numbers.begin();
  parts([&](std::span<const std::string_view> words) {
    for (const std::string_view word : words) *number++ = table.number_of(word);
  });
  const std::size_t distinct_count = table.distinct().size();
  const auto distinct = arena.array<std::string_view>(distinct_count);
  const auto hashes = arena.array<std::uint64_t>(distinct_count);
  const auto counts = arena.array<std::uint32_t>(distinct_count);
  for (std::size_t place = 0; place < distinct_count; ++place) {
    distinct[place] = table.distinct()[place];
    WordKey key{};
    kernels::text::word_keys().load_keys(&distinct[place], 1, &key);
    hashes[place] = kernels::text::hash_of(key, distinct[place].size());
    counts[place] = 0;
  }
  for (const std::uint32_t each : numbers) ++counts[each];
  return {numbers, distinct, hashes, counts};
}

RowWords count_words(std::span<const std::string_view> words, Arena& arena) {
  // Short indices keep the tables of an ordinary text in the first cache.
  return words.size() < std::numeric_limits<std::uint16_t>::max() ? count_indexed<std::uint16_t>(words, arena)
                                                                  : count_indexed<std::uint32_t>(words, arena);
}

}  // namespace djfast::text
