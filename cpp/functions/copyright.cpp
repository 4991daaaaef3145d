// Removal of the copyright notice at the head of a source file.
#include <cstddef>
#include <string_view>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"

namespace djfast {
namespace {

constexpr std::size_t none = std::string_view::npos;

/// Whether `text` starts with "copyright" without regard to case. The dotted capital I folds to an i.
bool starts_with_copyright(std::string_view text) noexcept {
  for (const char letter : std::string_view{"copyright"}) {
    if (letter == 'i' && text.starts_with("\u0130")) {
      text.remove_prefix(2);
    } else if (!text.empty() && (text.front() | 0x20) == letter) {
      text.remove_prefix(1);
    } else {
      return false;
    }
  }
  return true;
}

bool has_copyright(std::string_view text) noexcept {
  for (; !text.empty(); text.remove_prefix(1)) {
    if (starts_with_copyright(text)) return true;
  }
  return false;
}

bool is_comment_or_empty(std::string_view line) noexcept {
  return line.empty() || line.starts_with("//") || line.starts_with('#') || line.starts_with("--");
}

/// Removes the first block comment if it speaks of copyright; where there is none, the comment lines at the head.
std::string_view clean_copyright(std::string_view text, Arena& arena) {
  const std::size_t begin = text.find("/*");
  const std::size_t close = begin == none ? none : text.find("*/", begin + 2);
  if (close != none) {
    const std::size_t end = close + 2;
    if (!has_copyright(text.substr(begin, end - begin))) return text;
    Rewriting rewriting(text, arena);
    rewriting.replace(begin, end, {});
    return rewriting.finish();
  }
  while (!text.empty()) {
    const std::size_t line_end = text.find('\n');
    if (!is_comment_or_empty(text.substr(0, line_end))) break;
    text.remove_prefix(line_end == none ? text.size() : line_end + 1);
  }
  return text;
}

}  // namespace

void register_copyright(Registry& registry) {
  registry.add({
      .name = "clean_copyright",
      .summary = "The text without its first block comment if that names a copyright, or else without leading comment lines.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params&) { return per_text_rewrite(&clean_copyright); },
  });
}

}  // namespace djfast
