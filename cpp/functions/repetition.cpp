// How much of a text repeats itself: n-grams of words and of characters.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>
#include <string>

#include "djfast/function.hpp"
#include "djfast/unicode.hpp"
#include "kernels/text/word_keys.hpp"
#include "cpp/text/grams.hpp"
#include "cpp/text/groups.hpp"

namespace djfast {
namespace {

using kernels::text::exact_key_bytes;
using kernels::text::WordKey;
using text::GramCounts;

std::size_t gram_size(const Params& params) {
  const auto n = params.get<std::int64_t>("n");
  if (n < 1) throw UserError("n-gram size must be >= 1, got " + std::to_string(n));
  return static_cast<std::size_t>(n);
}

/// The words of one list as items of group_equal.
class Words {
 public:
  Words(const std::string_view* words, const WordKey* keys) : words_(words), keys_(keys) {}

  void begin_round(unsigned round) noexcept { multiplier_ = text::round_multiplier(round, 0); }
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

/// Replaces each word by the number of a word equal to it, then counts n-grams of those numbers.
template <class Number>
GramCounts count_word_grams(const std::string_view* words, std::size_t count, std::size_t n) {
  constexpr std::size_t readable_beyond = 8 / sizeof(Number);
  thread_local std::vector<WordKey> keys;
  thread_local std::vector<Number> numbers;
  thread_local text::GroupScratch<Number> scratch;
  if (keys.size() < count) keys.resize(count);
  if (numbers.size() < count + readable_beyond) numbers.resize(count + readable_beyond);
  kernels::text::word_keys().load_keys(words, count, keys.data());
  Words items{words, keys.data()};
  std::iota(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(count), Number{0});
  text::group_equal<Number>(count, items, scratch, [of = numbers.data()](Number word, Number leader, Number equal) {
    of[word] = static_cast<Number>(word - (word - leader) * equal);
  });
  return text::count_grams(numbers.data(), count, n);
}

double word_repetition(const std::string_view* words, std::size_t count, std::size_t n) {
  if (count < n) return 0.0;
  const GramCounts counts = count < 0xFFFF ? count_word_grams<std::uint16_t>(words, count, n)
                                           : count_word_grams<std::uint32_t>(words, count, n);
  return static_cast<double>(counts.grams - counts.single) / static_cast<double>(counts.grams);
}

class NgramRepetition final : public Function {
 public:
  explicit NgramRepetition(std::size_t n) : n_(n) {}

  Column run(const Call& call) const override {
    const auto& lists = std::get<TextLists>(*call.arguments[0]);
    Doubles ratios(call.row_count);
    for (const auto row : call.rows) {
      const std::size_t count = lists.offsets[row + 1] - lists.offsets[row];
      ratios[row] = word_repetition(lists.items.data() + lists.offsets[row], count, n_);
    }
    return ratios;
  }

 private:
  std::size_t n_;
};

/// Decodes into codes of one size; nullptr when a code point does not fit.
template <class Code>
Code* decode(std::string_view text, Code* out) noexcept {
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    std::uint64_t eight = high_bits;
    if (end - at >= 8) std::memcpy(&eight, at, 8);
    if ((eight & high_bits) == 0) {
      for (int i = 0; i < 8; ++i) out[i] = static_cast<Code>(static_cast<unsigned char>(at[i]));
      at += 8;
      out += 8;
      continue;
    }
    // Up to the next code point that may start such a run again.
    do {
      const char32_t code_point = unicode::next_code_point(at);
      if constexpr (sizeof(Code) == 2) {
        if (code_point > 0xFFFF) return nullptr;
      }
      *out++ = static_cast<Code>(code_point);
    } while (at < end && (*at & 0x80) != 0);
  }
  return out;
}

GramCounts count_char_grams(std::string_view text, std::size_t n) {
  constexpr std::size_t readable_beyond = 8;
  thread_local std::vector<std::uint8_t> bytes;
  thread_local std::vector<std::uint16_t> codes;
  thread_local std::vector<std::uint32_t> code_points;
  const std::size_t room = text.size() + readable_beyond;
  if (unicode::is_ascii(text)) {
    if (bytes.size() < room) bytes.resize(room);
    std::ranges::copy(text, bytes.begin());
    return text::count_grams(bytes.data(), text.size(), n);
  }
  if (codes.size() < room) codes.resize(room);
  if (const auto* end = decode(text, codes.data())) {
    return text::count_grams(codes.data(), static_cast<std::size_t>(end - codes.data()), n);
  }
  if (code_points.size() < room) code_points.resize(room);
  const auto* end = decode(text, code_points.data());
  return text::count_grams(code_points.data(), static_cast<std::size_t>(end - code_points.data()), n);
}

/// Sum of the `most` largest of some counts, all above 1.
std::uint64_t sum_of_largest(std::span<const std::uint32_t> counts, std::size_t most) {
  constexpr std::uint32_t small = 64;
  std::size_t how_many[small] = {};
  thread_local std::vector<std::uint32_t> large;
  large.clear();
  for (const std::uint32_t count : counts) {
    if (count < small) {
      ++how_many[count];
    } else {
      large.push_back(count);
    }
  }
  std::size_t left = std::min(most, large.size());
  if (left < large.size()) std::ranges::nth_element(large, large.begin() + static_cast<std::ptrdiff_t>(left), std::greater{});
  std::uint64_t sum = std::accumulate(large.begin(), large.begin() + static_cast<std::ptrdiff_t>(left), std::uint64_t{0});
  left = most - left;
  for (std::uint32_t count = small - 1; count > 1 && left > 0; --count) {
    const std::size_t taken = std::min(left, how_many[count]);
    sum += taken * count;
    left -= taken;
  }
  return sum;
}

double char_repetition(std::string_view text, std::size_t n) {
  if (text.size() < n) return 0.0;
  const GramCounts counts = count_char_grams(text, n);
  if (counts.grams == 0) return 0.0;
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(counts.distinct)));
  const std::size_t several = counts.distinct - counts.single;
  const std::uint64_t repeated =
      several <= root ? counts.grams - counts.single : sum_of_largest(counts.repeated, root);
  return static_cast<double>(repeated) / static_cast<double>(counts.grams);
}

}  // namespace

void register_repetition(Registry& registry) {
  registry.add({
      .name = "ngram_repetition",
      .summary = "Share of a list's n-grams that occur more than once; 0.0 for a list of fewer than n items.",
      .inputs = {Type::text_list},
      .output = Type::double_,
      .make = [](const Params& params) { return std::make_unique<NgramRepetition>(gram_size(params)); },
  });
  registry.add({
      .name = "char_ngram_repetition",
      .summary = "Share of a text's n-grams of code points taken by the most frequent of those that occur more than "
                 "once, at most the square root of the number of distinct ones; 0.0 for a text shorter than n.",
      .inputs = {Type::text},
      .output = Type::double_,
      .make =
          [](const Params& params) {
            return per_text<double>([n = gram_size(params)](std::string_view text) { return char_repetition(text, n); });
          },
  });
}

}  // namespace djfast
