// How much of a text repeats itself: n-grams of words and of characters.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "djfast/function.hpp"
#include "djfast/scratch.hpp"
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
  thread_local Scratch<std::uint32_t> room;
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

/// Codes from `first_code` for the code points of one text from `first` up to `end`, in the order in which they come.
template <class Code, char32_t first, char32_t end, std::size_t first_code, std::size_t size>
class Alphabet {
 public:
  /// The code of a code point; 0 when it has none and all are taken.
  Code code_of(char32_t code_point) noexcept {
    const std::size_t place = code_point - first;
    if (place >= std::size(codes_)) return 0;
    Code& code = codes_[place];
    if (code == 0 && taken_ < size) {
      places_[taken_] = place;
      code = static_cast<Code>(first_code + taken_++);
    }
    return code;
  }
  /// Begins the alphabet of another text.
  void clear() noexcept {
    while (taken_ > 0) codes_[places_[--taken_]] = 0;
  }

 private:
  Code codes_[end - first] = {};
  std::size_t places_[size] = {};
  std::size_t taken_ = 0;
};

using SmallAlphabet = Alphabet<std::uint8_t, 0, 0x20000, 0x80, 0x80>;  // of the planes in which people write
using LargeAlphabet = Alphabet<std::uint16_t, 0x10000, 0x40000, 0xD800, 0x800>;  // surrogates, which stand in no text

/// Writes one code per code point: `code_of` those that are not ASCII, which themselves are their code. Returns the end;
/// nullptr when `code_of` gives 0.
template <class Code, class CodeOf>
Code* write_codes(std::string_view text, Code* out, CodeOf code_of) noexcept {
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  const char* at = text.data();
  const char* end = at + text.size();
  const auto widen = [&](std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) out[i] = static_cast<Code>(static_cast<unsigned char>(at[i]));
  };
  while (at < end) {
    if (end - at >= 32) {
      std::uint64_t words[4];
      std::memcpy(words, at, sizeof words);
      if (((words[0] | words[1] | words[2] | words[3]) & high_bits) == 0) {
        widen(32);
        at += 32;
        out += 32;
        continue;
      }
    }
    if (end - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, 8);
      const int ascii = std::countr_zero(word & high_bits) / 8;  // before the first byte of another kind
      widen(8);
      at += ascii;
      out += ascii;
      if (ascii == 8) continue;
    }
    // Up to the next code point that may start such a run again.
    do {
      const char32_t code_point = unicode::next_code_point(at);
      const Code code = code_point < 0x80 ? static_cast<Code>(code_point) : code_of(code_point);
      if (code == 0 && code_point != 0) return nullptr;
      *out++ = code;
    } while (at < end && (*at & 0x80) != 0);
  }
  return out;
}

/// Counts n-grams of code points, which become codes of the smallest size that fits: fewer bytes are faster to compare.
GramCounts count_char_grams(std::string_view text, std::size_t n) {
  constexpr std::size_t readable_beyond = 8;
  thread_local SmallAlphabet small_alphabet;
  thread_local LargeAlphabet large_alphabet;
  thread_local Scratch<std::uint8_t> bytes;
  thread_local Scratch<std::uint16_t> short_codes;
  thread_local Scratch<std::uint32_t> long_codes;
  const auto count = [&](auto& codes, auto code_of) {
    if (codes.size() < text.size() + readable_beyond) codes.resize(text.size() + readable_beyond);
    const auto* end = write_codes(text, codes.data(), code_of);
    if (end == nullptr) {
      codes.release_if_large();
      return std::optional<GramCounts>{};
    }
    return std::optional{text::count_grams(codes.data(), static_cast<std::size_t>(end - codes.data()), n)};
  };
  // Alphabets are looked up once, not for every code point.
  auto counts = count(bytes, [&of = small_alphabet](char32_t code_point) { return of.code_of(code_point); });
  small_alphabet.clear();
  if (counts) return *counts;
  counts = count(short_codes, [&of = large_alphabet](char32_t code_point) {
    return code_point > 0xFFFF ? of.code_of(code_point) : static_cast<std::uint16_t>(code_point);
  });
  large_alphabet.clear();
  if (counts) return *counts;
  return *count(long_codes, [](char32_t code_point) { return std::uint32_t{code_point}; });
}

double char_repetition(std::string_view text, std::size_t n) {
  if (text.size() < n) return 0.0;
  const GramCounts counts = count_char_grams(text, n);
  if (counts.grams == 0) return 0.0;
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(counts.distinct)));
  const std::size_t several = counts.distinct - counts.single;
  const std::uint64_t repeated =
      several <= root ? counts.grams - counts.single : counts.repeated->sum_of_largest(root);
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
      .memory = 4,
      .make = [](const Params& params) { return std::make_unique<NgramRepetition>(gram_size(params)); },
  });
  registry.add({
      .name = "char_ngram_repetition",
      .summary = "Share of a text's n-grams of code points taken by the most frequent of those that occur more than "
                 "once, at most the square root of the number of distinct ones; 0.0 for a text shorter than n.",
      .inputs = {Type::text},
      .output = Type::double_,
      .cost = 4000,
      .memory = 6,
      .make =
          [](const Params& params) {
            return per_text<double>([n = gram_size(params)](std::string_view text) { return char_repetition(text, n); });
          },
  });
}

}  // namespace djfast
