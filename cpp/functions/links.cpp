// Removal of links, by Data-Juicer's pattern: exact, and linear in the length of the text.
//
// The pattern, in parts, all letters without regard to case:
//
//   link   = \b head (unit+) tail
//   head   = letter [\w-]+ ':' ( '/'{1,3} | letter | digit | '%' )     "scheme"
//          | "www" \d{0,3} '.'                                          "www"
//          | [a-z0-9.-]+ '.' letter{2,4} '/'                            "domain"
//   unit   = plain character (no white space, no ( ) < >) | group
//   group  = '(' ( plain+ | '(' plain+ ')' )* ')'
//   tail   = group | plain character that is none of `!()[]{};:'".,<>?«»“”‘’
//
// A backtracking engine explores the units in many ways, but they leave it no choice: at each position at most one unit
// is possible, and a group has one end. So the positions after a head form one *chain*, and greedy matching ends after
// the last unit of the chain that can be a tail, provided a unit comes before it. The heads of one token (a run of \w,
// '-' and '.') that lead into the same chain only differ in whether such a unit comes before.
//
// The work is linear: tokens are disjoint; a chain is followed once for a token and is either part of a match, which
// ends the token, or holds no character that could begin the next token except its first unit, so no other token
// follows it; and a position lies inside at most two groups that turn out to be open, because a third one around it
// would already have failed at the second.
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/unicode.hpp"
#include "kernels/text/code_points.hpp"

namespace djfast {
namespace {

constexpr std::size_t none = std::string_view::npos;

bool is(char32_t code_point, std::uint16_t classes) noexcept {
  return (kernels::text::class_bits(code_point) & classes) != 0;
}

/// [a-z] without regard to case: besides ASCII the long s, the Kelvin sign and the dotted capital I.
bool is_letter(char32_t c) noexcept {
  return (c < 0x80 && (c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == 0x17F || c == 0x212A || c == 0x130;
}

bool is_digit(char32_t c) noexcept { return c >= '0' && c <= '9'; }

bool is_domain(char32_t c) noexcept { return is_letter(c) || is_digit(c) || c == '.' || c == '-'; }

bool is_token(char32_t c) noexcept { return c == '.' || c == '-' || is(c, unicode::regex_word); }

enum class Kind : std::uint8_t { stop, no_tail, tail };

constexpr std::array<Kind, 128> ascii_kinds = [] {
  std::array<Kind, 128> kinds{};
  for (std::size_t c = 0; c < 128; ++c) {
    const char character = static_cast<char>(c);
    const bool stops = (c >= 9 && c <= 13) || std::string_view{" ()<>"}.find(character) != none;
    const bool no_tail = std::string_view{"`![]{};:'\".,?"}.find(character) != none;
    kinds[c] = stops ? Kind::stop : no_tail ? Kind::no_tail : Kind::tail;
  }
  return kinds;
}();

/// What the code point at `at` is in a chain; moves past it.
Kind next_kind(const char*& at) noexcept {
  if (static_cast<unsigned char>(*at) < 0x80) return ascii_kinds[static_cast<unsigned char>(*at++)];
  const char32_t c = unicode::next_code_point(at);
  if (is(c, unicode::regex_space)) return Kind::stop;
  return std::u32string_view{U"«»“”‘’"}.find(c) == none ? Kind::tail : Kind::no_tail;
}

const char* skip_plain(const char* at, const char* end) noexcept {
  while (at != end) {
    const char* next = at;
    if (next_kind(next) == Kind::stop) break;
    at = next;
  }
  return at;
}

/// End of the group that opens at `at`, or null.
const char* group_end(const char* at, const char* end) noexcept {
  for (++at;;) {
    at = skip_plain(at, end);
    if (at == end) return nullptr;
    if (*at == ')') return at + 1;
    if (*at != '(') return nullptr;
    const char* inner = skip_plain(at + 1, end);
    if (inner == at + 1 || inner == end || *inner != ')') return nullptr;
    at = inner + 1;
  }
}

/// The last unit of a chain that can be a tail; `begin` is null when there is none.
struct Tail {
  const char* begin = nullptr;
  const char* end = nullptr;
};

Tail follow_chain(const char* at, const char* end) noexcept {
  Tail tail;
  while (at != end) {
    const char* next = at;
    if (*at == '(') {
      next = group_end(at, end);
      if (next == nullptr) break;
      tail = {at, next};
    } else {
      const Kind kind = next_kind(next);
      if (kind == Kind::stop) break;
      if (kind == Kind::tail) tail = {at, next};
    }
    at = next;
  }
  return tail;
}

/// Where a head's `www` part ends, or null.
const char* www_end(const char* at, const char* end) noexcept {
  if (end - at < 4 || (at[0] | 0x20) != 'w' || (at[1] | 0x20) != 'w' || (at[2] | 0x20) != 'w') return nullptr;
  at += 3;
  for (int digits = 0; digits < 3 && at != end; ++digits) {
    const char* next = at;
    if (!is(unicode::next_code_point(next), unicode::regex_digit)) break;
    at = next;
  }
  return at != end && *at == '.' ? at + 1 : nullptr;
}

/// A maximal run of token characters, not reaching back into the last match.
class Token {
 public:
  Token(std::string_view text, std::size_t matched, std::size_t anchor) noexcept
      : begin_(text.data() + anchor), end_(begin_), text_begin_(text.data()), text_end_(begin_ + text.size() - anchor) {
    const char* const first = text.data() + matched;
    while (begin_ != first) {
      const char* before = begin_;
      if (!is_token(unicode::previous_code_point(before))) break;
      begin_ = before;
    }
    while (end_ != text_end_) {
      const char* next = end_;
      if (!is_token(unicode::next_code_point(next))) break;
      end_ = next;
    }
  }

  const char* begin() const noexcept { return begin_; }
  const char* end() const noexcept { return end_; }

  /// The leftmost link whose head begins in the token: its first byte and its end; nulls when there is none.
  std::pair<const char*, const char*> find_link() noexcept {
    const char* last_dot = end_;
    while (last_dot != begin_ && last_dot[-1] != '.') --last_dot;
    last_dot = last_dot == begin_ ? nullptr : last_dot - 1;
    const char* const scheme_chain = scheme_head_end();
    const char* const domain_chain = domain_head_end(last_dot);
    const char* domain_begin = end_;  // from here on all is [a-z0-9.-]
    if (domain_chain != nullptr) {
      while (domain_begin != begin_) {
        const char* before = domain_begin;
        if (!is_domain(unicode::previous_code_point(before))) break;
        domain_begin = before;
      }
    }
    bool after_word = false;
    if (begin_ != text_begin_) {
      const char* before = begin_;
      after_word = is(unicode::previous_code_point(before), unicode::regex_word);
    }
    const char* next = begin_;
    for (const char* at = begin_; at != end_; at = next) {
      const char32_t c = unicode::next_code_point(next);
      const bool word = is(c, unicode::regex_word);
      const bool boundary = word != after_word;
      after_word = word;
      if (!boundary) continue;
      const char* end = nullptr;
      if (scheme_chain != nullptr && (last_dot == nullptr || at > last_dot) && is_letter(c) && next != end_) {
        end = chain_end(scheme_chain);
      }
      if (end == nullptr && (c | 0x20) == 'w') {
        if (const char* const head = www_end(at, end_)) end = chain_end(head);
      }
      if (end == nullptr && domain_chain != nullptr && at >= domain_begin && at < last_dot) {
        end = chain_end(domain_chain);
      }
      if (end != nullptr) return {at, end};
    }
    return {nullptr, nullptr};
  }

 private:
  /// Where the chain of a scheme begins: after the first slash (more slashes are plain characters, so taking them into
  /// the head changes neither the chain nor its last tail), or after a letter, digit or '%'.
  const char* scheme_head_end() const noexcept {
    if (text_end_ - end_ < 2 || *end_ != ':') return nullptr;
    const char* next = end_ + 1;
    const char32_t c = unicode::next_code_point(next);
    return c == '/' || c == '%' || is_letter(c) || is_digit(c) ? next : nullptr;
  }

  /// Where the chain of a domain begins: after the slash that ends the token behind ".letters".
  const char* domain_head_end(const char* last_dot) const noexcept {
    if (last_dot == nullptr || last_dot == begin_ || end_ == text_end_ || *end_ != '/') return nullptr;
    int letters = 0;
    for (const char* at = last_dot + 1; at != end_; ++letters) {
      if (letters == 4 || !is_letter(unicode::next_code_point(at))) return nullptr;
    }
    return letters >= 2 ? end_ + 1 : nullptr;
  }

  /// End of the link whose head ends at `head_end`, or null when the chain from there has no unit before its last tail.
  const char* chain_end(const char* head_end) noexcept {
    // Token characters are plain, so every chain that begins in the token or right after it runs into the first one.
    if (!followed_ || head_end < chain_begin_) {
      tail_ = follow_chain(head_end, text_end_);
      chain_begin_ = head_end;
      followed_ = true;
    }
    return tail_.begin != nullptr && tail_.begin > head_end ? tail_.end : nullptr;
  }

  const char* begin_;
  const char* end_;
  const char* text_begin_;
  const char* text_end_;
  bool followed_ = false;
  const char* chain_begin_ = nullptr;
  Tail tail_;
};

constexpr auto anchors = kernels::ByteSet([](unsigned char byte) {
  return byte == ':' || byte == '/' || byte == 'w' || byte == 'W';
});

/// Whether the text before the slash at `at` ends in a dot and 2 to 4 letters.
bool follows_domain(std::string_view text, std::size_t at) noexcept {
  const char* before = text.data() + at;
  for (int letters = 0; before != text.data(); ++letters) {
    const char32_t c = unicode::previous_code_point(before);
    if (c == '.') return letters >= 2;
    if (letters == 4 || !is_letter(c)) return false;
  }
  return false;
}

/// Whether the byte at `at`, one of the anchors, may end a head's token or begin its `www`.
bool may_be_head(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  if (text[at] == '/') return follows_domain(text, at);
  const unsigned next = byte(at + 1);
  if (text[at] != ':') return (next | 0x20) == 'w' && (byte(at + 2) | 0x20) == 'w';
  return at >= 2 && (next == '/' || next == '%' || next >= 0x80 || is_letter(next) || is_digit(next));
}

std::string_view clean_links(std::string_view text, std::string_view replacement, Arena& arena) {
  MarkedBytes marked(text, anchors);
  Rewriting rewriting(text, arena);
  std::size_t matched = 0;  // end of the last match
  std::size_t from = 0;
  for (;;) {
    const std::size_t anchor = marked.next(from);
    if (anchor >= text.size()) break;
    from = anchor + 1;
    if (!may_be_head(text, anchor)) continue;
    Token token(text, matched, anchor);
    if (token.begin() == token.end()) continue;
    const auto [begin, end] = token.find_link();
    if (begin == nullptr) {
      from = static_cast<std::size_t>(token.end() - text.data()) + 1;
      continue;
    }
    matched = from = static_cast<std::size_t>(end - text.data());
    rewriting.replace(static_cast<std::size_t>(begin - text.data()), matched, replacement);
  }
  return rewriting.finish();
}

}  // namespace

void register_links(Registry& registry) {
  registry.add({
      .name = "clean_links",
      .summary = "The text with every link replaced by `repl`, taken literally.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = per_text_replacement(clean_links),
  });
}

}  // namespace djfast
