// Removal of words by their length or by what they contain.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/unicode.hpp"
#include "kernels/text/segments.hpp"

namespace djfast {
namespace {

constexpr auto separators = kernels::ByteSet([](unsigned char byte) { return byte == ' ' || byte == '\t' || byte == '\n'; });

/// What stands between two words, weakest first.
enum class Gap : std::uint8_t { space, tab, line_feed };

constexpr std::array<std::string_view, 3> gap_texts{" ", "\t", "\n"};

constexpr Gap gap_of(char separator) noexcept {
  return separator == '\n' ? Gap::line_feed : separator == '\t' ? Gap::tab : Gap::space;
}

/// The words of a text for which `keeps(begin, end)` is true. Words that stay neighbours of one cell are joined by a
/// space, of one line by a tab, else by a line feed; empty cells and lines vanish. So the strongest separator between two
/// kept words is the one that stays.
template <class Keeps>
std::string_view keep_words(std::string_view text, Arena& arena, Keeps keeps) {
  MarkedBytes marked(text, separators);
  Rewriting rewriting(text, arena);
  std::size_t kept_end = 0;  // of the last word kept
  bool is_first = true;
  Gap gap = Gap::space;  // the strongest since then
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = marked.next(begin);
    if (end > begin && keeps(begin, end)) {
      if (is_first) {
        if (begin != 0) rewriting.replace(0, begin, {});
      } else if (begin - kept_end != 1) {
        rewriting.replace(kept_end, begin, gap_texts[static_cast<std::size_t>(gap)]);
      }
      is_first = false;
      kept_end = end;
      gap = Gap::space;
    }
    if (end < text.size()) gap = std::max(gap, gap_of(text[end]));
    begin = end + 1;
  }
  if (kept_end != text.size()) rewriting.replace(kept_end, text.size(), {});
  return rewriting.finish();
}

/// Keeps words of [min, max] code points, with or without the special characters at their ends.
class LengthLimits {
 public:
  explicit LengthLimits(const Params& params)
      : min_(params.get<std::int64_t>("min_len")), max_(params.get<std::int64_t>("max_len")) {}

  std::string_view operator()(std::string_view text, Arena& arena) const {
    return keep_words(text, arena, [&](std::size_t begin, std::size_t end) {
      const std::string_view word = text.substr(begin, end - begin);
      // A code point has one to four bytes: most words need not be counted.
      const auto bytes = static_cast<std::int64_t>(word.size());
      if (bytes <= max_ && (bytes + 3) / 4 >= min_) return true;
      return holds(word) || holds(unicode::strip_class(word, unicode::special));
    });
  }

 private:
  bool holds(std::string_view word) const noexcept {
    const auto length = static_cast<std::int64_t>(length_of(word));
    return min_ <= length && length <= max_;
  }

  /// Code points of a word: most are too short for the kernel to be worth its call.
  static std::size_t length_of(std::string_view word) noexcept {
    if (word.size() > 32) return kernels::text::segments().count_code_points(word);
    std::size_t length = 0;
    for (const char byte : word) length += (byte & 0xC0) != 0x80 ? 1 : 0;
    return length;
  }

  std::int64_t min_;
  std::int64_t max_;
};

/// A list of substrings, to be found anywhere in words.
class Substrings {
 public:
  explicit Substrings(const Params& params) : sorted_(params.get<std::vector<std::string>>("substrings")) {
    std::ranges::sort(sorted_);
    // The empty text is part of everything.
    if (!sorted_.empty() && sorted_.front().empty()) sorted_.assign(1, {});
    for (std::uint32_t i = 0; i < sorted_.size() && !sorted_[i].empty(); ++i) {
      Range& range = by_first_byte_[static_cast<unsigned char>(sorted_[i].front())];
      if (range.begin == range.end) range.begin = i;
      range.end = i + 1;
    }
    first_bytes_ = kernels::ByteSet::covering([this](unsigned char byte) {
      return by_first_byte_[byte].begin != by_first_byte_[byte].end;
    });
  }

  /// Whether every text contains one of them.
  bool are_everywhere() const noexcept { return !sorted_.empty() && sorted_.front().empty(); }

  /// At least the first bytes of all substrings.
  const kernels::ByteSet& first_bytes() const noexcept { return first_bytes_; }

  /// Whether `text`, which is not empty, starts with one of them.
  bool begin(std::string_view text) const noexcept {
    const Range range = by_first_byte_[static_cast<unsigned char>(text.front())];
    return std::any_of(sorted_.begin() + range.begin, sorted_.begin() + range.end,
                       [text](const std::string& each) { return text.starts_with(each); });
  }

  bool occur_in(std::string_view text) const noexcept {
    if (are_everywhere()) return true;
    for (; !text.empty(); text.remove_prefix(1)) {
      if (begin(text)) return true;
    }
    return false;
  }

 private:
  struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };

  std::vector<std::string> sorted_;
  std::array<Range, 256> by_first_byte_{};
  kernels::ByteSet first_bytes_ = kernels::ByteSet([](unsigned char) { return false; });
};

/// Drops words that contain a substring between the special characters at their ends.
class WordsWithSubstrings {
 public:
  explicit WordsWithSubstrings(const Params& params) : substrings_(params) {}

  std::string_view operator()(std::string_view text, Arena& arena) const {
    if (substrings_.are_everywhere()) return text.substr(0, 0);
    MarkedBytes marked(text, substrings_.first_bytes());
    std::size_t candidate = marked.next(0);  // never moves back, so that no byte is marked twice
    return keep_words(text, arena, [&](std::size_t begin, std::size_t end) {
      if (candidate < begin) candidate = marked.next(begin);
      for (; candidate < end; candidate = marked.next(candidate + 1)) {
        if (!substrings_.begin(text.substr(candidate, end - candidate))) continue;
        const std::string_view bare = unicode::strip_class(text.substr(begin, end - begin), unicode::special);
        return !substrings_.occur_in(bare);
      }
      return true;
    });
  }

 private:
  Substrings substrings_;
};

/// The same test for the pieces of a tokenizer, without its marks for spaces.
class PiecesWithSubstrings final : public Function {
 public:
  explicit PiecesWithSubstrings(const Params& params) : substrings_(params) {}

  Column run(const Call& call) const override {
    const auto& pieces = std::get<TextLists>(*call.arguments[1]);
    Texts joined(call.row_count);
    for (const auto row : call.rows) {
      const auto first = pieces.items.begin() + pieces.offsets[row];
      const auto last = pieces.items.begin() + pieces.offsets[row + 1];
      joined[row] = join_kept(call.texts(0)[row], {first, last}, call.arena);
    }
    return joined;
  }

 private:
  std::string_view join_kept(std::string_view text, std::span<const std::string_view> pieces, Arena& arena) const {
    std::size_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    char* const begin = arena.reserve(bytes);
    char* end = begin;
    bool is_all = true;
    for (const std::string_view piece : pieces) {
      char* const piece_end = copy_without_marks(piece, end);
      const std::string_view plain(end, static_cast<std::size_t>(piece_end - end));
      if (substrings_.occur_in(unicode::strip_class(plain, unicode::special))) {
        is_all = false;
      } else {
        end = piece_end;
      }
    }
    if (is_all) return text;
    const auto size = static_cast<std::size_t>(end - begin);
    arena.commit(size);
    return {begin, size};
  }

  static char* copy_without_marks(std::string_view piece, char* out) noexcept {
    constexpr std::string_view mark = "\u2581";
    while (!piece.empty()) {
      const std::size_t size = std::min(piece.find(mark), piece.size());
      if (size != 0) std::memcpy(out, piece.data(), size);
      out += size;
      piece.remove_prefix(std::min(size + mark.size(), piece.size()));
    }
    return out;
  }

  Substrings substrings_;
};

}  // namespace

void register_unwanted_words(Registry& registry) {
  registry.add({
      .name = "keep_words_by_length",
      .summary = "The words whose number of code points, with or without special characters at their ends, is in "
                 "[`min_len`, `max_len`]; white space between them is shortened to one character.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params& params) { return per_text_rewrite(LengthLimits(params)); },
  });
  registry.add({
      .name = "remove_words_with_substrings",
      .summary = "The words that, without special characters at their ends, contain none of `substrings`; white space "
                 "between them is shortened to one character.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params& params) { return per_text_rewrite(WordsWithSubstrings(params)); },
  });
  registry.add({
      .name = "remove_pieces_with_substrings",
      .summary = "The pieces (second) of a text (first) that contain none of `substrings`, joined by nothing; the text "
                 "itself where that is all of them.",
      .inputs = {Type::text, Type::text_list},
      .output = Type::text,
      .make = [](const Params& params) { return std::make_unique<PiecesWithSubstrings>(params); },
  });
}

}  // namespace djfast
