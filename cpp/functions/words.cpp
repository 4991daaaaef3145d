// Texts as lists of words.
#include <algorithm>
#include <array>
#include <numeric>
#include <string>

#include "djfast/function.hpp"
#include "djfast/unicode.hpp"
#include "kernels/text/segments.hpp"
#include "kernels/text/word_keys.hpp"
#include "cpp/text/word_set.hpp"

namespace djfast {
namespace {

class Words final : public Function {
 public:
  Column run(const Call& call) const override {
    constexpr std::size_t beyond = 65;  // see SegmentKernels::word_edges
    thread_local std::vector<std::uint32_t> edges;
    const Texts& texts = call.texts(0);
    const auto& kernels = kernels::text::segments();
    TextLists words;
    words.offsets.assign(call.row_count + 1, 0);
    for (const auto row : call.rows) words.offsets[row + 1] = static_cast<std::uint32_t>(kernels.count_words(texts[row]));
    std::partial_sum(words.offsets.begin(), words.offsets.end(), words.offsets.begin());
    words.items.resize(words.offsets.back());
    for (const auto row : call.rows) {
      const std::string_view text = texts[row];
      if (edges.size() < text.size() + beyond) edges.resize(text.size() + beyond);
      const std::uint32_t* end = kernels.word_edges(text, edges.data());
      std::string_view* word = words.items.data() + words.offsets[row];
      for (const std::uint32_t* edge = edges.data(); edge < end; edge += 2) {
        *word++ = {text.data() + edge[0], edge[1] - edge[0]};
      }
    }
    return words;
  }
};

/// What a byte at the end of a word means for stripping: 1 for a special character, 2 for a part of one beyond ASCII
/// that has to be looked up, 0 for any other character.
constexpr std::uint8_t strips = 1;
constexpr std::uint8_t asks = 2;

std::array<std::uint8_t, 256> strip_table() noexcept {
  std::array<std::uint8_t, 256> table{};
  for (char32_t c = 0; c < 0x80; ++c) table[c] = (unicode::classes_of(c) & unicode::special) != 0 ? strips : 0;
  std::fill(table.begin() + 0x80, table.end(), asks);
  return table;
}

/// `word`, not empty, without special characters at its ends. Most words lose at most one at each end: that is done
/// without a branch.
std::string_view strip_special(std::string_view word, const std::array<std::uint8_t, 256>& table) noexcept {
  const auto kind = [&](char c) { return table[static_cast<unsigned char>(c)]; };
  const char* start = word.data();
  std::size_t size = word.size();
  const std::size_t front = kind(word.front()) & strips;
  start += front;
  size -= front;
  size -= (kind(word.back()) & strips) & (size != 0 ? 1U : 0U);
  if (size == 0 || (kind(start[0]) | kind(start[size - 1])) == 0) return {start, size};
  return unicode::strip_class({start, size}, unicode::special);
}

class RefineWords final : public Function {
 public:
  explicit RefineWords(const Params& params)
      : lower_(params.get<bool>("lower")), strip_(params.get<bool>("strip")), join_(params.get<std::string>("join")) {
    for (const auto size : params.integers("groups")) {
      if (size < 1) throw UserError("word group size must be >= 1, got " + std::to_string(size));
      groups_.push_back(static_cast<std::size_t>(size));
    }
  }

  Column run(const Call& call) const override {
    static const auto table = strip_table();
    const auto& lists = std::get<TextLists>(*call.arguments[0]);
    TextLists refined;
    refined.offsets.assign(call.row_count + 1, 0);
    refined.items.reserve(lists.items.size());
    std::size_t filled = 0;
    for (const auto row : call.rows) {
      std::fill(refined.offsets.begin() + static_cast<std::ptrdiff_t>(filled),
                refined.offsets.begin() + static_cast<std::ptrdiff_t>(row) + 1,
                static_cast<std::uint32_t>(refined.items.size()));
      filled = row + std::size_t{1};
      const std::size_t first = refined.items.size();
      for (auto at = lists.offsets[row]; at < lists.offsets[row + 1]; ++at) {
        std::string_view word = lists.items[at];
        if (lower_) word = unicode::lower(word, call.arena);
        if (strip_) {
          if (!word.empty()) word = strip_special(word, table);
          if (word.empty()) continue;
        }
        refined.items.push_back(word);
      }
      const std::size_t count = refined.items.size() - first;
      for (const std::size_t size : groups_) {
        for (std::size_t start = 0; start + size <= count; ++start) {
          refined.items.push_back(joined(refined.items.data() + first + start, size, call.arena));
        }
      }
    }
    std::fill(refined.offsets.begin() + static_cast<std::ptrdiff_t>(filled), refined.offsets.end(),
              static_cast<std::uint32_t>(refined.items.size()));
    return refined;
  }

 private:
  std::string_view joined(const std::string_view* words, std::size_t count, Arena& arena) const {
    std::size_t size = (count - 1) * join_.size();
    for (std::size_t i = 0; i < count; ++i) size += words[i].size();
    char* const text = arena.allocate(size);
    char* out = text;
    for (std::size_t i = 0; i < count; ++i) {
      if (i != 0) out = std::ranges::copy(join_, out).out;
      out = std::ranges::copy(words[i], out).out;
    }
    return {text, size};
  }

  bool lower_;
  bool strip_;
  std::vector<std::size_t> groups_;
  std::string join_;
};

class ShareInList final : public Function {
 public:
  explicit ShareInList(const std::vector<std::string>& words) : words_(words) {}

  Column run(const Call& call) const override {
    thread_local std::vector<kernels::text::WordKey> keys;
    thread_local std::vector<std::uint32_t> candidates;
    const auto& lists = std::get<TextLists>(*call.arguments[0]);
    const auto& kernels = kernels::text::word_keys();
    Doubles shares(call.row_count);
    for (const auto row : call.rows) {
      const std::string_view* items = lists.items.data() + lists.offsets[row];
      const std::size_t count = lists.offsets[row + 1] - lists.offsets[row];
      if (count == 0) continue;
      if (keys.size() < count) {
        keys.resize(count);
        candidates.resize(count);
      }
      kernels.load_keys(items, count, keys.data());
      const std::size_t found = words_.count(items, keys.data(), count, candidates.data());
      shares[row] = static_cast<double>(found) / static_cast<double>(count);
    }
    return shares;
  }

 private:
  text::WordSet words_;
};

}  // namespace

void register_words(Registry& registry) {
  registry.add({
      .name = "words",
      .summary = "The pieces of a text between spaces, line feeds and tabs, without empty ones.",
      .inputs = {Type::text},
      .output = Type::text_list,
      .make = [](const Params&) { return std::make_unique<Words>(); },
  });
  registry.add({
      .name = "refine_words",
      .summary = "Words in lower case, without special characters at their ends and without those of nothing else, "
                 "followed by the joined groups of neighbours; each step as asked.",
      .inputs = {Type::text_list},
      .output = Type::text_list,
      .make = [](const Params& params) { return std::make_unique<RefineWords>(params); },
  });
  registry.add({
      .name = "words_count",
      .summary = "Number of words that hold a character that is not special.",
      .inputs = {Type::text},
      .output = Type::int64,
      .make =
          [](const Params&) {
            return per_text<std::int64_t>([](std::string_view text) {
              return static_cast<std::int64_t>(kernels::text::segments().count_words_with_content(text));
            });
          },
  });
  registry.add({
      .name = "share_in_list",
      .summary = "Share of a list's items that are among some words; 0.0 for an empty list.",
      .inputs = {Type::text_list},
      .output = Type::double_,
      .make =
          [](const Params& params) {
            return std::make_unique<ShareInList>(params.get<std::vector<std::string>>("words"));
          },
  });
}

}  // namespace djfast
