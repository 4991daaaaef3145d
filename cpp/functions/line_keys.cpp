// Keys of the lines of a text, by which equal lines of different texts are found.
#include <algorithm>
#include <cstring>

#include "djfast/function.hpp"
#include "djfast/unicode.hpp"
#include "kernels/hash/digests.hpp"
#include "kernels/hash/kept_characters.hpp"

namespace djfast {
namespace {

constexpr std::uint64_t no_key = 0;  // of a line that is never compared

/// What of a line is compared, and which lines are not.
struct LineRules {
  bool lowercase;
  bool ignore_special_character;
  std::int64_t min_line_length;  // code points
  bool skip_brackets;
  bool skip_markdown_headers;
  bool skip_latex_env;
  bool skip_html_tags;
};

bool is_only_brackets(std::string_view line) noexcept {
  return line.find_first_not_of("{}[]();") == std::string_view::npos;
}

bool begins_latex_environment(std::string_view line) noexcept {
  return line.starts_with("\\begin{") || line.starts_with("\\end{");
}

/// A lone tag, complete or cut off: `<`, an optional slash, a letter, and no `>` but at the end.
bool is_html_tag(std::string_view line) noexcept {
  if (!line.starts_with('<')) return false;
  std::string_view name = line.substr(1);
  if (name.starts_with('/')) name.remove_prefix(1);
  if (name.empty()) return false;
  const auto letter = static_cast<unsigned char>(name.front() | 0x20);
  // Without regard to case, four letters outside ASCII are letters of the alphabet to Python's `re`, too.
  const bool is_letter = (letter >= 'a' && letter <= 'z') || name.starts_with("\u0130") || name.starts_with("\u0131") ||
                         name.starts_with("\u017F") || name.starts_with("\u212A");
  const auto close = line.find('>');
  return is_letter && (close == std::string_view::npos || close + 1 == line.size());
}

std::int64_t code_points_of(std::string_view text) noexcept {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

/// `line` without white space, decimal digits and ASCII punctuation. To Python's `re`, the four ASCII separators are white
/// space as well.
std::string_view without_special(std::string_view line, Arena& arena) {
  constexpr std::size_t slack = 64;
  char* room = arena.reserve(line.size() + slack);
  std::size_t size = kernels::keep_characters(line, room);
  size = static_cast<std::size_t>(std::remove_if(room, room + size, [](char c) { return c >= 0x1C && c <= 0x1F; }) - room);
  arena.commit(size);
  return {room, size};
}

class LineKeys final : public Function {
 public:
  explicit LineKeys(LineRules rules) : rules_(rules) {}

  Column run(const Call& call) const override {
    const Texts& texts = call.texts(0);
    NumberLists keys{.offsets = std::vector<std::uint32_t>(call.row_count + 1), .items = {}};
    std::vector<std::string_view> messages;
    std::vector<std::size_t> places;  // of the messages' keys
    auto next = call.rows.begin();
    for (std::uint32_t row = 0; row < call.row_count; ++row) {
      if (next != call.rows.end() && *next == row) {
        ++next;
        add_lines(texts[row], call.arena, keys.items, messages, places);
      }
      keys.offsets[row + 1] = static_cast<std::uint32_t>(keys.items.size());
    }
    std::vector<std::uint8_t> digests(16 * messages.size());
    kernels::md5_digests(messages, digests.data());
    for (std::size_t i = 0; i < places.size(); ++i) {
      std::uint64_t key = 0;
      std::memcpy(&key, digests.data() + 16 * i, sizeof key);
      keys.items[places[i]] = key == no_key ? 1 : key;
    }
    return keys;
  }

 private:
  void add_lines(std::string_view text, Arena& arena, std::vector<std::uint64_t>& keys,
                 std::vector<std::string_view>& messages, std::vector<std::size_t>& places) const {
    for (std::size_t begin = 0;; ++begin) {
      const auto end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = text.substr(begin, end - begin);
      if (!is_exempt(unicode::strip(line))) {
        messages.push_back(compared(line, arena));
        places.push_back(keys.size());
      }
      keys.push_back(no_key);
      if (end == text.size()) return;
      begin = end;
    }
  }

  bool is_exempt(std::string_view line) const {
    return (rules_.min_line_length > 0 && code_points_of(line) < rules_.min_line_length) ||
           (rules_.skip_brackets && is_only_brackets(line)) || (rules_.skip_markdown_headers && line.starts_with('#')) ||
           (rules_.skip_latex_env && begins_latex_environment(line)) || (rules_.skip_html_tags && is_html_tag(line));
  }

  std::string_view compared(std::string_view line, Arena& arena) const {
    if (rules_.lowercase) line = unicode::lower(line, arena);
    if (rules_.ignore_special_character) line = without_special(line, arena);
    return unicode::strip(line);
  }

  LineRules rules_;
};

/// The numbers of a list, each once and without zeros.
class DistinctNumbers final : public Function {
 public:
  Column run(const Call& call) const override {
    const auto& lists = std::get<NumberLists>(*call.arguments[0]);
    NumberLists distinct{.offsets = std::vector<std::uint32_t>(call.row_count + 1), .items = {}};
    for (std::size_t row = 0; row < call.row_count; ++row) {
      const auto begin = distinct.items.size();
      distinct.items.insert(distinct.items.end(), lists.items.begin() + lists.offsets[row],
                            lists.items.begin() + lists.offsets[row + 1]);
      const auto first = distinct.items.begin() + static_cast<std::ptrdiff_t>(begin);
      std::sort(first, distinct.items.end());
      distinct.items.erase(std::unique(first, distinct.items.end()), distinct.items.end());
      if (first != distinct.items.end() && *first == no_key) distinct.items.erase(first);
      distinct.offsets[row + 1] = static_cast<std::uint32_t>(distinct.items.size());
    }
    return distinct;
  }
};

}  // namespace

void register_line_keys(Registry& registry) {
  registry.add({
      .name = "line_keys",
      .summary = "For each line of a text 64 bits that are the same for lines taken as equal, 0 for lines never compared.",
      .inputs = {Type::text},
      .output = Type::number_list,
      .make =
          [](const Params& params) {
            return std::make_unique<LineKeys>(LineRules{
                .lowercase = params.get<bool>("lowercase"),
                .ignore_special_character = params.get<bool>("ignore_special_character"),
                .min_line_length = params.get<std::int64_t>("min_line_length"),
                .skip_brackets = params.get<bool>("skip_brackets"),
                .skip_markdown_headers = params.get<bool>("skip_markdown_headers"),
                .skip_latex_env = params.get<bool>("skip_latex_env"),
                .skip_html_tags = params.get<bool>("skip_html_tags"),
            });
          },
  });
  registry.add({
      .name = "distinct_numbers",
      .summary = "The numbers of a list, each once and without zeros.",
      .inputs = {Type::number_list},
      .output = Type::number_list,
      .make = [](const Params&) { return std::make_unique<DistinctNumbers>(); },
  });
}

}  // namespace djfast
