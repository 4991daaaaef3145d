// Removal of single characters: listed ones, or all that are not used in Chinese.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/unicode.hpp"

namespace djfast {
namespace {

using kernels::ByteSet;

/// The text without the code points for which `is_unwanted` is true; `first_bytes` holds the first bytes of all those.
template <class IsUnwanted>
std::string_view remove_code_points(std::string_view text, const ByteSet& first_bytes, IsUnwanted is_unwanted,
                                    Arena& arena) {
  MarkedBytes marked(text, first_bytes);
  Rewriting rewriting(text, arena);
  const char* const text_end = text.data() + text.size();
  for (std::size_t at = marked.next(0); at < text.size();) {
    const char* end = text.data() + at;
    for (const char* next = end; next != text_end && is_unwanted(unicode::next_code_point(next));) end = next;
    const auto unwanted_end = static_cast<std::size_t>(end - text.data());
    if (unwanted_end != at) rewriting.replace(at, unwanted_end, {});
    at = marked.next(std::max(unwanted_end, at + 1));
  }
  return rewriting.finish();
}

class ListedCharacters {
 public:
  explicit ListedCharacters(const Params& params) {
    const auto& characters = params.get<std::string>("characters");
    std::array<bool, 256> leads{};
    for (const char* at = characters.data(); at != characters.data() + characters.size();) {
      leads[static_cast<unsigned char>(*at)] = true;
      const char32_t c = unicode::next_code_point(at);
      if (c < 0x80) {
        ascii_[c] = true;
      } else {
        others_.push_back(c);
      }
    }
    std::ranges::sort(others_);
    first_bytes_ = ByteSet::covering([&leads](unsigned char byte) { return leads[byte]; });
  }

  std::string_view operator()(std::string_view text, Arena& arena) const {
    const auto is_listed = [this](char32_t c) { return c < 0x80 ? ascii_[c] : std::ranges::binary_search(others_, c); };
    return remove_code_points(text, first_bytes_, is_listed, arena);
  }

 private:
  std::array<bool, 128> ascii_{};
  std::u32string others_;
  ByteSet first_bytes_ = ByteSet([](unsigned char) { return false; });
};

/// Keeps Chinese characters and, as wanted, ASCII letters, digits and punctuation.
class ChineseCharacters {
 public:
  explicit ChineseCharacters(const Params& params) : keep_punctuation_(params.get<bool>("keep_punc")) {
    const bool keep_letters = params.get<bool>("keep_alphabet");
    const bool keep_digits = params.get<bool>("keep_number");
    for (char32_t c = 0; c < 0x80; ++c) {
      const bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
      const bool is_digit = c >= '0' && c <= '9';
      const bool is_punctuation = std::string_view{" !%&()*+,-./"}.find(static_cast<char>(c)) != std::string_view::npos;
      kept_ascii_[c] = (is_letter && keep_letters) || (is_digit && keep_digits) || (is_punctuation && keep_punctuation_);
    }
    // Of the characters that begin with E5 to E8 all are Chinese: their bytes need no look.
    first_bytes_ = ByteSet([this](unsigned char byte) {
      return byte < 0x80 ? !kept_ascii_[byte] : byte >= 0xC0 && (byte < 0xE5 || byte > 0xE8);
    });
  }

  std::string_view operator()(std::string_view text, Arena& arena) const {
    return remove_code_points(text, first_bytes_, [this](char32_t c) { return !is_kept(c); }, arena);
  }

 private:
  bool is_kept(char32_t c) const noexcept {
    if (c < 0x80) return kept_ascii_[c];
    if (c >= 0x4E00 && c <= 0x9FA5) return true;
    return keep_punctuation_ && std::u32string_view{U"，。《》•、＆—（）：？！“”·"}.find(c) != std::u32string_view::npos;
  }

  bool keep_punctuation_;
  std::array<bool, 128> kept_ascii_{};
  ByteSet first_bytes_ = ByteSet([](unsigned char) { return false; });
};

}  // namespace

void register_unwanted_characters(Registry& registry) {
  registry.add({
      .name = "remove_characters",
      .summary = "The text without the code points that `characters` consists of.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params& params) { return per_text_rewrite(ListedCharacters(params)); },
  });
  registry.add({
      .name = "remove_non_chinese",
      .summary = "The text without what is neither Chinese nor, as wanted, an ASCII letter, a digit or punctuation.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params& params) { return per_text_rewrite(ChineseCharacters(params)); },
  });
}

}  // namespace djfast
