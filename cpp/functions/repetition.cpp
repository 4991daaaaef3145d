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
#include "cpp/text/grams.hpp"

namespace djfast {
namespace {

using text::GramCounts;

std::size_t gram_size(const Params& params) {
  const auto n = params.get<std::int64_t>("n");
  if (n < 1) throw UserError("n-gram size must be >= 1, got " + std::to_string(n));
  return static_cast<std::size_t>(n);
}

double word_repetition(const RowWords& words, std::size_t n) {
  thread_local std::vector<std::uint32_t> room;
  const std::size_t count = words.numbers.size();
  if (count < n) return 0.0;
  if (room.size() < count) room.resize(count);
  // Only an n-gram whose words all occur again may occur again itself. In most texts few are like that.
  std::uint32_t* const starts = room.data();
  std::size_t candidates = 0;
  std::size_t run = 0;  // words up to here that occur again
  for (std::size_t end = 0; end < count; ++end) {
    const std::size_t again = words.counts[words.numbers[end]] > 1 ? 1 : 0;
    run = (run + 1) & (std::size_t{0} - again);
    starts[candidates] = static_cast<std::uint32_t>(end + 1 - n);
    candidates += run >= n ? 1 : 0;
  }
  if (candidates == 0) return 0.0;
  const std::size_t single = text::count_single_grams(words.numbers.data(), {starts, candidates}, n);
  return static_cast<double>(candidates - single) / static_cast<double>(count - n + 1);
}

class NgramRepetition final : public Function {
 public:
  explicit NgramRepetition(std::size_t n) : n_(n) {}

  Column run(const Call& call) const override {
    const auto& words = std::get<CountedWords>(*call.arguments[0]);
    Doubles ratios(call.row_count);
    for (const auto row : call.rows) ratios[row] = word_repetition(words[row], n_);
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
      .summary = "Share of the words' n-grams that occur more than once; 0.0 for fewer than n words.",
      .inputs = {Type::counted_words},
      .output = Type::double_,
      .cost = 500,
      .make = [](const Params& params) { return std::make_unique<NgramRepetition>(gram_size(params)); },
  });
  registry.add({
      .name = "char_ngram_repetition",
      .summary = "Share of a text's n-grams of code points taken by the most frequent of those that occur more than "
                 "once, at most the square root of the number of distinct ones; 0.0 for a text shorter than n.",
      .inputs = {Type::text},
      .output = Type::double_,
      .cost = 4000,
      .make =
          [](const Params& params) {
            return per_text<double>([n = gram_size(params)](std::string_view text) { return char_repetition(text, n); });
          },
  });
}

}  // namespace djfast
