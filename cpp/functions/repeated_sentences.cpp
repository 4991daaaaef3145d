// Removal of sentences that a text has said before.
//
// A sentence ends with its line, or by one of Data-Juicer's four patterns, which it applies one after another:
//
//   ([.。！!？\?])([^’”])                       a full stop, and what follows is no closing quotation mark
//   (\.{6})([^’”])                             never matches: the first pattern has cut such a run to pieces of two
//   (…{2})([^’”])                              an ellipsis of two characters
//   ([.。！!？\?\.{6}\…{2}][’”])([^’”])          a closing quotation mark after one of these: { } 2 6 are of the set too
//
// Each sentence ends between the two groups. The second group takes a character with it, so in "a..b" only the first dot
// ends a sentence. The patterns do not disturb each other: a line feed that one of them has inserted never stands inside
// a match of another. So one pass over the text finds all ends, each pattern remembering how far its last match went.
#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/scratch.hpp"
#include "djfast/unicode.hpp"
#include "kernels/hash/placement.hpp"
#include "kernels/text/encoding.hpp"
#include "kernels/text/segments.hpp"

namespace djfast {
namespace {

/// First bytes of what ends sentences: LF . ! ? 。 ！ ？ … ’ ”
constexpr auto first_bytes = kernels::ByteSet([](unsigned char byte) {
  return byte == '\n' || byte == '.' || byte == '!' || byte == '?' || byte == 0xE2 || byte == 0xE3 || byte == 0xEF;
});

constexpr std::string_view ellipsis = "…";

/// The characters of the last pattern's set.
bool may_precede_quotation_mark(char32_t c) noexcept {
  return std::u32string_view{U".。！!？?{6}…2"}.find(c) != std::u32string_view::npos;
}

/// Calls `visit(begin, end)` for every sentence, from left to right.
template <class Visit>
class Sentences {
 public:
  Sentences(std::string_view text, Visit visit) noexcept : text_(text), visit_(visit) {}

  void visit_all() {
    MarkedBytes marked(text_, first_bytes);
    for (std::size_t at = marked.next(0); at < text_.size(); at = marked.next(at + 1)) look_at(at);
    end_sentence(text_.size());
  }

 private:
  void look_at(std::size_t at) {
    switch (static_cast<unsigned char>(text_[at])) {
      case '\n':
        end_sentence(at);
        line_ = sentence_ = at + 1;
        break;
      case 0xE2:
        if (is_quotation_mark(at)) {
          after_quotation_mark(at);
        } else if (is_at(at, ellipsis) && is_at(at + 3, ellipsis) && at >= after_ellipsis_) {
          end_before_character(at + 6, after_ellipsis_);
        }
        break;
      case 0xE3:
        if (is_at(at, "。") && at >= after_stop_) end_before_character(at + 3, after_stop_);
        break;
      case 0xEF:
        if ((is_at(at, "！") || is_at(at, "？")) && at >= after_stop_) end_before_character(at + 3, after_stop_);
        break;
      default:
        if (at >= after_stop_) end_before_character(at + 1, after_stop_);
    }
  }

  void after_quotation_mark(std::size_t at) {
    if (at == line_) return;
    const char* before = text_.data() + at;
    const char32_t c = unicode::previous_code_point(before);
    if (before < text_.data() + after_quotation_mark_ || !may_precede_quotation_mark(c)) return;
    end_before_character(at + 3, after_quotation_mark_);
  }

  /// Ends the sentence before the character at `at`, if the line has one there that is no closing quotation mark; then
  /// `matched` is where that character ends.
  void end_before_character(std::size_t at, std::size_t& matched) {
    if (at == text_.size() || text_[at] == '\n' || is_quotation_mark(at)) return;
    const char* end = text_.data() + at;
    unicode::next_code_point(end);
    matched = static_cast<std::size_t>(end - text_.data());
    end_sentence(at);
  }

  void end_sentence(std::size_t at) {
    if (at != sentence_) visit_(sentence_, at);
    sentence_ = at;
  }

  bool is_at(std::size_t at, std::string_view character) const noexcept {
    return text_.substr(at, character.size()) == character;
  }
  bool is_quotation_mark(std::size_t at) const noexcept { return is_at(at, "’") || is_at(at, "”"); }

  std::string_view text_;
  Visit visit_;
  std::size_t line_ = 0;      // begin of the line
  std::size_t sentence_ = 0;  // begin of the sentence
  // Ends of the last matches of the patterns.
  std::size_t after_stop_ = 0;
  std::size_t after_ellipsis_ = 0;
  std::size_t after_quotation_mark_ = 0;
};

/// Texts that were seen, compared byte by byte. Its memory stays for the next use.
class SeenTexts {
 public:
  void clear() {
    entries_.clear();
    slots_.assign(64, 0);
  }

  /// Whether `text` is new; it is kept as a view.
  bool add(std::string_view text) {
    const std::uint64_t hash = kernels::place_of(text);
    if (entries_.size() * 2 >= slots_.size()) grow();
    std::size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
      const Entry& entry = entries_[slots_[slot] - 1];
      if (entry.hash == hash && entry.text == text) return false;
    }
    entries_.push_back({hash, text});
    slots_[slot] = static_cast<std::uint32_t>(entries_.size());
    return true;
  }

 private:
  struct Entry {
    std::uint64_t hash;
    std::string_view text;
  };

  void grow() {
    slots_.assign(slots_.size() * 2, 0);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      std::size_t slot = entries_[i].hash & (slots_.size() - 1);
      while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = static_cast<std::uint32_t>(i + 1);
    }
  }

  Scratch<Entry> entries_;
  Scratch<std::uint32_t> slots_;  // number of an entry, from 1 on; 0 is empty; a power of two of them
};

class RepeatedSentences {
 public:
  explicit RepeatedSentences(const Params& params)
      : lowercase_(params.get<bool>("lowercase")),
        ignore_special_(params.get<bool>("ignore_special_character")),
        min_length_(params.get<std::int64_t>("min_length")) {
    for (unsigned c = 0; c < 0x80; ++c) {
      const bool is_capital = c >= 'A' && c <= 'Z';
      const bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
      ascii_is_kept_[c] = is_letter || (c >= '0' && c <= '9') || c == '\t' || c == ' ' ? 1 : 0;
      ascii_[c] = static_cast<char>(is_capital && lowercase_ ? c | 0x20 : c);
    }
  }

  std::string_view operator()(std::string_view text, Arena& arena) const {
    thread_local SeenTexts seen;
    thread_local Scratch<char> keys;
    // The kernel that lowers writes at most 64 bytes more than half as much again as it reads.
    if (keys.size() < text.size() + text.size() / 2 + 64) keys.resize(text.size() + text.size() / 2 + 64);
    char* free = keys.data();
    seen.clear();
    Rewriting rewriting(text, arena);
    Sentences(text, [&](std::size_t begin, std::size_t end) {
      const std::string_view key = key_of(text.substr(begin, end - begin), free);
      if (!is_long_enough(key)) return;
      if (!seen.add(key)) {
        rewriting.replace(begin, end, {});
      } else if (key.data() == free) {
        free += key.size();
      }
    }).visit_all();
    return rewriting.finish();
  }

 private:
  /// What a sentence is compared by: a part of it, or written to `out`.
  std::string_view key_of(std::string_view sentence, char* out) const noexcept {
    sentence = unicode::strip(sentence);
    if (ignore_special_) return {out, static_cast<std::size_t>(copy_plain(sentence, out) - out)};
    if (!lowercase_) return sentence;
    return {out, static_cast<std::size_t>(kernels::text::encoding().lower(sentence, 0, out) - out)};
  }

  /// Copies ASCII letters and digits, tabs, spaces and Chinese characters; in lower case if asked.
  char* copy_plain(std::string_view sentence, char* out) const noexcept {
    const char* at = sentence.data();
    const char* const end = at + sentence.size();
    while (at != end) {
      const auto byte = static_cast<unsigned char>(*at);
      if (byte < 0x80) {
        *out = ascii_[byte];
        out += ascii_is_kept_[byte];
        ++at;
        continue;
      }
      const char* const begin = at;
      const char32_t c = unicode::next_code_point(at);
      if (c >= 0x4E00 && c <= 0x9FA5) {
        out = std::copy(begin, at, out);
      } else if (lowercase_ && (c == U'\u0130' || c == U'\u212A')) {
        // The two characters beyond ASCII whose lower case has an ASCII letter: dotted I and the Kelvin sign.
        *out++ = c == U'\u0130' ? 'i' : 'k';
      }
    }
    return out;
  }

  bool is_long_enough(std::string_view key) const noexcept {
    // A code point has one to four bytes.
    if (static_cast<std::int64_t>((key.size() + 3) / 4) >= min_length_) return true;
    if (static_cast<std::int64_t>(key.size()) < min_length_) return false;
    return static_cast<std::int64_t>(kernels::text::segments().count_code_points(key)) >= min_length_;
  }

  bool lowercase_;
  bool ignore_special_;
  std::int64_t min_length_;
  std::array<char, 128> ascii_{};
  std::array<std::uint8_t, 128> ascii_is_kept_{};
};

}  // namespace

void register_repeated_sentences(Registry& registry) {
  registry.add({
      .name = "remove_repeated_sentences",
      .summary = "The text without sentences that it has had before; shorter ones than `min_length` stay.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params& params) { return per_text_rewrite(RepeatedSentences(params)); },
  });
}

}  // namespace djfast
