// Cleaning of LaTeX sources: macros, comments, what stands before the first heading and after the last section.
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/unicode.hpp"
#include "kernels/hash/placement.hpp"

namespace djfast {
namespace {

constexpr std::size_t none = std::string_view::npos;

constexpr bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool take(std::string_view& text, char c) noexcept {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes a backslash and all letters and digits after it off `text` and returns them; nothing if there are none.
std::string_view take_name(std::string_view& text) noexcept {
  std::size_t size = 1;
  while (size < text.size() && is_alphanumeric(text[size])) ++size;
  if (!text.starts_with('\\') || size == 1) return {};
  const std::string_view name = text.substr(0, size);
  text.remove_prefix(size);
  return name;
}

void skip_spaces(std::string_view& text) noexcept {
  while (!text.empty()) {
    const char* next = text.data();
    if ((unicode::classes_of(unicode::next_code_point(next)) & unicode::regex_space) == 0) return;
    text.remove_prefix(static_cast<std::size_t>(next - text.data()));
  }
}

/// Takes `*{\name}{` or `{\name}{` and returns the name; nothing if something else stands there.
std::string_view take_newcommand_head(std::string_view& text) noexcept {
  take(text, '*');
  if (!take(text, '{')) return {};
  const std::string_view name = take_name(text);
  return take(text, '}') && take(text, '{') ? name : std::string_view{};
}

/// Takes ` \name {`, with or without the spaces, and returns the name; nothing if something else stands there.
std::string_view take_def_head(std::string_view& text) noexcept {
  skip_spaces(text);
  const std::string_view name = take_name(text);
  skip_spaces(text);
  return take(text, '{') ? name : std::string_view{};
}

struct Macro {
  std::string_view name;  // with its backslash
  std::string_view value;
};

/// The macros of a text in the order in which they are applied. A repeated name keeps its place and takes the new value.
class Macros {
 public:
  void add(std::string_view name, std::string_view value) {
    const auto [place, is_new] = places_.try_emplace(name, macros_.size());
    if (is_new) {
      macros_.push_back({name, value});
    } else {
      macros_[place->second].value = value;
    }
  }
  const std::vector<Macro>& in_order() const noexcept { return macros_; }

 private:
  std::vector<Macro> macros_;
  std::unordered_map<std::string_view, std::size_t, kernels::Placed> places_;
};

/// Adds the definitions that start with `keyword`. A value reaches to the last brace of its line, which must end there.
void add_definitions(std::string_view text, std::string_view keyword, std::string_view (*take_head)(std::string_view&),
                     Macros& macros) {
  std::size_t line_end = 0;
  for (std::size_t at = text.find(keyword); at != none; at = text.find(keyword, at)) {
    at += keyword.size();
    std::string_view rest = text.substr(at);
    const std::string_view name = take_head(rest);
    if (name.empty()) continue;
    const std::size_t value = text.size() - rest.size();
    // Each line is searched for its end once, however many definitions it seems to have.
    if (line_end < value) line_end = std::min(text.find('\n', value), text.size());
    if (line_end == value || text[line_end - 1] != '}') continue;
    macros.add(name, text.substr(value, line_end - 1 - value));
    at = line_end;
  }
}

/// Macros that use each other can make a short text as long as one likes. An expanded text has at most so many bytes.
constexpr std::size_t expanded_per_byte = 16;
constexpr std::size_t always_allowed_bytes = 1 << 16;
/// Every macro reads the whole text, so the work is limited too: to a second or two.
constexpr std::size_t max_read_bytes = std::size_t{1} << 30;

/// Writes `text` to `out` with every use of the macro expanded, or returns false once that has more than `limit` bytes.
/// A use is the name and one more character, which is no letter or digit and cannot begin the next use.
bool expand_macro(std::string_view text, const Macro& macro, std::size_t limit, std::string& out) {
  out.clear();
  std::size_t kept = 0;
  std::size_t from = 0;
  for (;;) {
    const std::size_t at = text.find(macro.name, from);
    const std::size_t after = at == none ? none : at + macro.name.size();
    if (at == none || after == text.size()) break;
    from = after;
    if (is_alphanumeric(text[after])) continue;
    out.append(text, kept, at - kept);
    out += macro.value;
    if (out.size() > limit) return false;
    kept = after;
    from = after + 1;
  }
  out += text.substr(kept);
  return out.size() <= limit;
}

class ExpandMacros final : public Function {
 public:
  Column run(const Call& call) const override {
    const Texts& texts = call.texts(0);
    Texts expanded(call.row_count);
    for (const auto row : call.rows) {
      const auto answer = expand(texts[row], call.arena);
      if (answer) {
        expanded[row] = *answer;
      } else {
        call.errors.add(row, "its macros make the text too long or take too long to expand");
      }
    }
    return expanded;
  }

 private:
  /// Nothing when a limit is reached.
  static std::optional<std::string_view> expand(std::string_view text, Arena& arena) {
    Macros macros;
    add_definitions(text, "\\newcommand", take_newcommand_head, macros);
    add_definitions(text, "\\def", take_def_head, macros);
    if (macros.in_order().empty()) return text;
    const std::size_t limit = always_allowed_bytes + expanded_per_byte * text.size();
    std::string now{text};
    std::string next;
    std::size_t read = 0;
    for (const Macro& macro : macros.in_order()) {
      read += now.size();
      if (read > max_read_bytes || !expand_macro(now, macro, limit, next)) return std::nullopt;
      now.swap(next);
    }
    return arena.copy(now);
  }
};

/// Says whether what is opened at a place is closed later. Asked from left to right, it reads the text once or twice.
class Closings {
 public:
  explicit Closings(std::string_view text) noexcept : text_(text) {}

  /// Whether a closing brace stands at `from` or later.
  bool has_brace(std::size_t from) noexcept {
    if (brace_ < from) brace_ = text_.find('}', from);
    return brace_ != none;
  }

  /// Whether `]{` and then a closing brace stand at `from` or later.
  bool has_bracket(std::size_t from) noexcept {
    if (bracket_ < from) {
      bracket_ = text_.find("]{", from);
      if (bracket_ != none && text_.find('}', bracket_ + 2) == none) bracket_ = none;
    }
    return bracket_ != none;
  }

 private:
  std::string_view text_;
  std::size_t brace_ = 0;  // the next one, `none` once there is no more; no question is about the first byte
  std::size_t bracket_ = 0;
};

/// Cuts the text at `\appendix`, `\bibliography{...}` or the environment of a bibliography.
std::string_view remove_bibliography(std::string_view text, Arena&) {
  Closings closings(text);
  for (std::size_t at = text.find('\\'); at != none; at = text.find('\\', at + 1)) {
    const std::string_view command = text.substr(at + 1);
    constexpr std::string_view bibliography = "bibliography{";
    if (command.starts_with("appendix") || command.starts_with("begin{references}") ||
        command.starts_with("begin{REFERENCES}") || command.starts_with("begin{thebibliography}") ||
        (command.starts_with(bibliography) && closings.has_brace(at + 1 + bibliography.size()))) {
      return text.substr(0, at);
    }
  }
  return text;
}

constexpr std::array<std::string_view, 7> headings{"chapter",       "part",      "section",     "subsection",
                                                   "subsubsection", "paragraph", "subparagraph"};

/// Whether a heading begins after the backslash at `at`: its name, perhaps a star and `[...]`, and `{...}`.
bool is_heading(std::string_view text, std::size_t at, Closings& closings) noexcept {
  std::string_view rest = text.substr(at + 1);
  const auto* const name = std::ranges::find_if(headings, [&](std::string_view word) { return rest.starts_with(word); });
  if (name == headings.end()) return false;
  rest.remove_prefix(name->size());
  take(rest, '*');
  if (take(rest, '{')) return closings.has_brace(text.size() - rest.size());
  return take(rest, '[') && closings.has_bracket(text.size() - rest.size());
}

/// What stands before the first heading goes; without a heading everything goes, or nothing.
std::string_view remove_header(std::string_view text, bool drop_no_head) {
  Closings closings(text);
  for (std::size_t at = text.find('\\'); at != none; at = text.find('\\', at + 1)) {
    if (is_heading(text, at, closings)) return text.substr(at);
  }
  return drop_no_head ? text.substr(0, 0) : text;
}

/// Removes comments behind something: from the character before a percent sign, if that is no backslash, to the line's
/// end. The character goes too, even a line feed, as it does in Data-Juicer; a percent sign that ends its line stays.
std::string_view remove_inline_comments(std::string_view text, Arena& arena) {
  Rewriting rewriting(text, arena);
  std::size_t from = 1;
  for (std::size_t sign = text.find('%', from); sign != none; sign = text.find('%', from)) {
    from = sign + 1;
    if (text[sign - 1] == '\\' || from == text.size() || text[from] == '\n') continue;
    const char* before = text.data() + sign;
    unicode::previous_code_point(before);
    from = std::min(text.find('\n', from), text.size());
    rewriting.replace(static_cast<std::size_t>(before - text.data()), from, {});
  }
  return rewriting.finish();
}

/// Removes lines that start with a percent sign.
std::string_view remove_comment_lines(std::string_view text, Arena& arena) {
  Rewriting rewriting(text, arena);
  std::size_t from = 0;
  for (std::size_t sign = text.find('%'); sign != none; sign = text.find('%', from)) {
    from = sign + 1;
    if (sign != 0 && text[sign - 1] != '\n') continue;
    const std::size_t line_end = text.find('\n', from);
    from = line_end == none ? text.size() : line_end + 1;
    rewriting.replace(sign, from, {});
  }
  return rewriting.finish();
}

}  // namespace

void register_latex(Registry& registry) {
  registry.add({
      .name = "expand_macros",
      .summary = "The text with the macros that it defines without arguments put in; rejects a row that grows too long.",
      .inputs = {Type::text},
      .output = Type::text,
      .may_reject = true,
      .make = [](const Params&) { return std::make_unique<ExpandMacros>(); },
  });
  registry.add({
      .name = "remove_bibliography",
      .summary = "The text up to its appendix or bibliography.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params&) { return per_text_rewrite(&remove_bibliography); },
  });
  registry.add({
      .name = "remove_header",
      .summary = "The text from its first heading on; without one, the empty text if `drop_no_head`, or else the text.",
      .inputs = {Type::text},
      .output = Type::text,
      .make =
          [](const Params& params) {
            return per_text_rewrite([drop_no_head = params.get<bool>("drop_no_head")](std::string_view text, Arena&) {
              return remove_header(text, drop_no_head);
            });
          },
  });
  registry.add({
      .name = "remove_inline_comments",
      .summary = "The text without LaTeX comments behind other text, each with the character before it.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params&) { return per_text_rewrite(&remove_inline_comments); },
  });
  registry.add({
      .name = "remove_comment_lines",
      .summary = "The text without lines that start with a percent sign.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params&) { return per_text_rewrite(&remove_comment_lines); },
  });
}

}  // namespace djfast
