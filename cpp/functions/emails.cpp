// Removal of e-mail addresses.
#include <algorithm>
#include <string>
#include <string_view>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"

namespace djfast {
namespace {

constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }

constexpr bool is_domain(char c) noexcept {
  return is_lower(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == '_';
}

constexpr bool is_local(char c) noexcept { return is_domain(c) || (c >= 'A' && c <= 'Z'); }

constexpr std::size_t none = std::string_view::npos;

/// End of the domain that begins at `begin`: `[a-z0-9.\-+_]+\.[a-z]+`, greedy; `none` if there is no domain.
///
/// Greedy with backtracking means the last dot that is followed by a lower-case letter and is not the first character:
/// such a letter belongs to the run itself, so the run's end bounds the search.
std::size_t domain_end(std::string_view text, std::size_t begin) noexcept {
  std::size_t run_end = begin;
  while (run_end < text.size() && is_domain(text[run_end])) ++run_end;
  for (std::size_t dot = run_end; dot-- > begin + 1;) {
    if (text[dot] != '.' || dot + 1 == run_end || !is_lower(text[dot + 1])) continue;
    std::size_t end = dot + 1;
    while (end < run_end && is_lower(text[end])) ++end;
    return end;
  }
  return none;
}

/// Replaces every match of `[A-Za-z0-9.\-+_]+@[a-z0-9.\-+_]+\.[a-z]+`.
///
/// Every match has one '@', and none of the classes contains it: the leftmost match is that of the first '@' that has a
/// local part and a domain, and starts where the run before it starts (or where the last match ended).
std::string_view clean_email(std::string_view text, std::string_view replacement, Arena& arena) {
  Rewriting rewriting(text, arena);
  std::size_t matched = 0;  // end of the last match
  for (std::size_t sign = text.find('@'); sign != none; sign = text.find('@', std::max(sign + 1, matched))) {
    std::size_t begin = sign;
    while (begin > matched && is_local(text[begin - 1])) --begin;
    if (begin == sign) continue;
    const std::size_t end = domain_end(text, sign + 1);
    if (end == none) continue;
    rewriting.replace(begin, end, replacement);
    matched = end;
  }
  return rewriting.finish();
}

}  // namespace

void register_emails(Registry& registry) {
  registry.add({
      .name = "clean_email",
      .summary = "The text with every e-mail address (lower-case domain) replaced by `repl`, taken literally.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = per_text_replacement(clean_email),
  });
}

}  // namespace djfast
