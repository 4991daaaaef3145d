// Texts as words.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "djfast/function.hpp"
#include "djfast/scratch.hpp"
#include "djfast/unicode.hpp"
#include "kernels/text/segments.hpp"
#include "cpp/text/counted_words.hpp"
#include "cpp/text/word_set.hpp"

namespace djfast {
namespace {

// Where words come from: `load` writes the words of a row to the start of `words`, and returns their number. `is_long` rows
// are better asked for part by part: `visit_parts` gives the words of one after the other.

/// What stands between spaces, line feeds and tabs of a text column.
class TextWords {
 public:
  explicit TextWords(const Params&) {
    for (char32_t c = 0; c < 0x100; ++c) {
      may_be_special_[c] = c >= 0x80 || (unicode::classes_of(c) & unicode::special) != 0;
    }
  }

  bool is_long(const Call& call, std::uint32_t row) const { return call.texts(0)[row].size() > long_bytes; }

  std::size_t load(const Call& call, std::uint32_t row, Scratch<std::string_view>& words) const {
    return load(call.texts(0)[row], words);
  }

  void visit_parts(const Call& call, std::uint32_t row, const text::VisitWords& visit) const {
    thread_local Scratch<std::string_view> words;
    for (std::string_view text = call.texts(0)[row]; !text.empty();) {
      const std::size_t end = std::min(text.find_first_of(" \n\t", part_bytes), text.size());
      visit({words.data(), load(text.substr(0, end), words)});
      text.remove_prefix(end);
    }
  }

 private:
  static constexpr std::size_t long_bytes = 1 << 19;
  static constexpr std::size_t part_bytes = 1 << 16;

  std::size_t load(std::string_view text, Scratch<std::string_view>& words) const {
    constexpr std::size_t beyond = 65;  // see SegmentKernels::word_edges
    thread_local Scratch<std::uint32_t> edges;
    if (edges.size() < text.size() + beyond) edges.resize(text.size() + beyond);
    const std::uint32_t* const end = kernels::text::segments().word_edges(text, edges.data());
    const auto count = static_cast<std::size_t>(end - edges.data()) / 2;
    if (words.size() < count) words.resize(count);
    std::string_view* out = words.data();
    for (const std::uint32_t* edge = edges.data(); edge < end; edge += 2) {
      std::string_view word{text.data() + edge[0], edge[1] - edge[0]};
      if (may_be_special_[static_cast<unsigned char>(word.back())]) word = unicode::strip_class(word, unicode::special);
      *out++ = word;
    }
    return count;
  }

  std::array<bool, 256> may_be_special_;  // by the last byte of a character
};

/// The items of a text_list column.
class PieceWords {
 public:
  explicit PieceWords(const Params& params) : lower_(params.get<bool>("lower")) {}

  bool is_long(const Call&, std::uint32_t) const { return false; }
  void visit_parts(const Call&, std::uint32_t, const text::VisitWords&) const {}

  std::size_t load(const Call& call, std::uint32_t row, Scratch<std::string_view>& words) const {
    const auto& pieces = std::get<TextLists>(*call.arguments[0]);
    words.clear();
    for (auto at = pieces.offsets[row]; at < pieces.offsets[row + 1]; ++at) {
      std::string_view word = pieces.items[at];
      if (lower_) word = unicode::lower(word, call.arena);
      word = unicode::strip_class(word, unicode::special);
      if (!word.empty()) words.push_back(word);
    }
    return words.size();
  }

 private:
  bool lower_;
};

/// Words, then the joined groups of neighbours.
template <class Source>
class Words final : public Function {
 public:
  explicit Words(const Params& params) : source_(params), join_(params.get<std::string>("join")) {
    for (const auto size : params.integers("groups")) {
      if (size < 1) throw UserError("word group size must be >= 1, got " + std::to_string(size));
      groups_.push_back(static_cast<std::size_t>(size));
    }
  }

  Column run(const Call& call) const override {
    thread_local Scratch<std::string_view> room;
    CountedWords words(call.row_count);
    for (const auto row : call.rows) {
      if (groups_.empty() && source_.is_long(call, row)) {
        const auto parts = [&](const text::VisitWords& visit) { source_.visit_parts(call, row, visit); };
        words[row] = text::count_words_of_parts(parts, call.arena);
        continue;
      }
      std::size_t count = source_.load(call, row, room);
      if (!groups_.empty()) count = add_groups(room, count, call.arena);
      words[row] = text::count_words({room.data(), count}, call.arena);
    }
    return words;
  }

 private:
  std::size_t add_groups(Scratch<std::string_view>& words, std::size_t count, Arena& arena) const {
    words.resize(count);
    for (const std::size_t size : groups_) {
      for (std::size_t start = 0; start + size <= count; ++start) {
        words.push_back(joined(words.data() + start, size, arena));
      }
    }
    return words.size();
  }

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

  Source source_;
  std::vector<std::size_t> groups_;
  std::string join_;
};

class ShareInList final : public Function {
 public:
  explicit ShareInList(const std::vector<std::string>& words) : listed_(words) {}

  Column run(const Call& call) const override {
    thread_local Scratch<std::uint32_t> candidates;
    const auto& words = std::get<CountedWords>(*call.arguments[0]);
    Doubles shares(call.row_count);
    for (const auto row : call.rows) {
      if (words[row].numbers.empty()) continue;
      if (candidates.size() < words[row].distinct.size()) candidates.resize(words[row].distinct.size());
      const std::size_t found = listed_.count(words[row], candidates.data());
      shares[row] = static_cast<double>(found) / static_cast<double>(words[row].numbers.size());
    }
    return shares;
  }

 private:
  text::WordSet listed_;
};

}  // namespace

void register_words(Registry& registry) {
  registry.add({
      .name = "words",
      .summary = "The pieces of a text between spaces, line feeds and tabs, without special characters at their ends "
                 "and without those of nothing else, followed by the joined groups of neighbours.",
      .inputs = {Type::text},
      .output = Type::counted_words,
      .cost = 2000,
      .memory = 4,
      .make = [](const Params& params) { return std::make_unique<Words<TextWords>>(params); },
  });
  registry.add({
      .name = "words_of_pieces",
      .summary = "As words, of pieces that are there already; in lower case if asked.",
      .inputs = {Type::text_list},
      .output = Type::counted_words,
      .cost = 2000,
      .memory = 12,
      .make = [](const Params& params) { return std::make_unique<Words<PieceWords>>(params); },
  });
  registry.add({
      .name = "words_count",
      .summary = "Number of words that hold a character that is not special.",
      .inputs = {Type::text},
      .output = Type::int64,
      .cost = 300,
      .make =
          [](const Params&) {
            return per_text<std::int64_t>([](std::string_view text) {
              return static_cast<std::int64_t>(kernels::text::segments().count_words(text));
            });
          },
  });
  registry.add({
      .name = "share_in_list",
      .summary = "Share of the words that are in a list; 0.0 where there are no words.",
      .inputs = {Type::counted_words},
      .output = Type::double_,
      .cost = 200,
      .make =
          [](const Params& params) {
            return std::make_unique<ShareInList>(params.get<std::vector<std::string>>("words"));
          },
  });
}

}  // namespace djfast
