// Removal of IP addresses.
#include <string>
#include <string_view>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/unicode.hpp"
#include "kernels/text/code_points.hpp"

namespace djfast {
namespace {

constexpr auto separators = kernels::ByteSet([](unsigned char byte) { return byte == '.' || byte == ':'; });

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// [\da-fA-F], where \d is a decimal digit of any script.
bool is_hexadecimal(char32_t c) noexcept {
  if (c < 0x80) return is_digit(static_cast<char>(c)) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
  return (kernels::text::class_bits(c) & unicode::regex_digit) != 0;
}

/// End of the octet at `at`, the longest of 0 to 255 without leading zeros; null when there is no digit.
const char* octet_end(const char* at, const char* end) noexcept {
  const auto has_digit = [&](int i) { return end - at > i && is_digit(at[i]); };
  if (!has_digit(0)) return nullptr;
  if (at[0] == '0' || !has_digit(1)) return at + 1;
  const bool fits = at[0] == '1' || (at[0] == '2' && (at[1] < '5' || (at[1] == '5' && has_digit(2) && at[2] <= '5')));
  return fits && has_digit(2) ? at + 3 : at + 2;
}

/// Where the longest octet that ends at `dot` begins, not before `first`; null when there is none.
const char* octet_begin(const char* dot, const char* first) noexcept {
  for (int digits = 3; digits != 0; --digits) {
    if (dot - first >= digits && octet_end(dot - digits, dot) == dot) return dot - digits;
  }
  return nullptr;
}

/// End of the four octets whose first dot is at `dot`, or null.
const char* octets_end(const char* dot, const char* end) noexcept {
  for (int dots = 1; dots != 3; ++dots) {
    dot = octet_end(dot + 1, end);
    if (dot == nullptr || dot == end || *dot != '.') return nullptr;
  }
  return octet_end(dot + 1, end);
}

/// End of the 1 to 4 hexadecimal digits at `at`, or null.
const char* group_end(const char* at, const char* end) noexcept {
  const char* reached = nullptr;
  for (int digits = 0; digits != 4 && at != end; ++digits) {
    if (!is_hexadecimal(unicode::next_code_point(at))) break;
    reached = at;
  }
  return reached;
}

/// Where the 1 to 4 hexadecimal digits before `colon` begin, not before `first`; null when there are none.
const char* group_begin(const char* colon, const char* first) noexcept {
  const char* reached = nullptr;
  for (int digits = 0; digits != 4 && colon != first; ++digits) {
    if (!is_hexadecimal(unicode::previous_code_point(colon))) break;
    reached = colon;
  }
  return reached;
}

/// End of the eight groups whose first colon is at `colon`, or null.
const char* groups_end(const char* colon, const char* end) noexcept {
  for (int colons = 1; colons != 7; ++colons) {
    colon = group_end(colon + 1, end);
    if (colon == nullptr || colon == end || *colon != ':') return nullptr;
  }
  return group_end(colon + 1, end);
}

/// Replaces every match of Data-Juicer's pattern: four octets with dots, or eight groups of 1 to 4 hexadecimal digits.
///
/// Before the first dot or colon of a match stand only digits of its first number. So matches begin in the order of
/// these separators, those of one separator differ only in how many digits they take in, and the leftmost takes most.
std::string_view clean_ip(std::string_view text, std::string_view replacement, Arena& arena) {
  MarkedBytes marked(text, separators);
  Rewriting rewriting(text, arena);
  const char* const data = text.data();
  const char* const text_end = data + text.size();
  const char* matched = data;  // end of the last match
  std::size_t from = 0;
  for (;;) {
    const std::size_t at = marked.next(from);
    if (at >= text.size()) break;
    from = at + 1;
    const char* const separator = data + at;
    const bool is_dot = *separator == '.';
    const char* const begin = is_dot ? octet_begin(separator, matched) : group_begin(separator, matched);
    if (begin == nullptr) continue;
    const char* const end = is_dot ? octets_end(separator, text_end) : groups_end(separator, text_end);
    if (end == nullptr) continue;
    matched = end;
    from = static_cast<std::size_t>(end - data);
    rewriting.replace(static_cast<std::size_t>(begin - data), from, replacement);
  }
  return rewriting.finish();
}

}  // namespace

void register_ip_addresses(Registry& registry) {
  registry.add({
      .name = "clean_ip",
      .summary = "The text with every IP address replaced by `repl`, taken literally.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = per_text_replacement(clean_ip),
  });
}

}  // namespace djfast
