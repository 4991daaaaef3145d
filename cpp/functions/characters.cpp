// Normalization of single characters: punctuation to ASCII, white space to plain spaces.
#include <array>
#include <string_view>
#include <utility>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/unicode.hpp"

namespace djfast {
namespace {

using kernels::ByteSet;

constexpr auto lead_bytes_of_punctuation =
    ByteSet([](unsigned char byte) { return byte == 0xC2 || byte == 0xE2 || byte == 0xE3 || byte == 0xEF; });

/// The ASCII form of a punctuation mark, or empty. It is never longer than the mark itself in UTF-8.
constexpr std::string_view ascii_punctuation(char32_t mark) noexcept {
  switch (mark) {
    case U'，': case U'、': return ",";
    case U'。': return ".";
    case U'„': case U'”': case U'“': case U'«': case U'»': return "\"";
    case U'」': case U'「': case U'《': case U'》': return "\"";
    case U'１': return "\"";  // Data-Juicer's table has the full-width digit one in the place of a quotation mark
    case U'´': case U'’': return "'";
    case U'∶': case U'：': return ":";
    case U'？': return "?";
    case U'！': return "!";
    case U'（': return "(";
    case U'）': return ")";
    case U'；': return ";";
    case U'–': case U'━': case U'►': return "-";
    case U'—': return " - ";
    case U'．': return ". ";
    case U'～': return "~";
    case U'…': return "...";
    case U'〈': return "<";
    case U'〉': return ">";
    case U'【': return "[";
    case U'】': return "]";
    case U'％': return "%";
    default: return {};
  }
}

/// Whether the first two bytes at `at`, where a code point of two or more bytes starts, are those of a mark.
bool may_start_punctuation(const char* at) noexcept {
  const auto second = static_cast<unsigned char>(at[1]);
  switch (static_cast<unsigned char>(at[0])) {
    case 0xC2: return second >= 0xAB;
    case 0xE2: return second == 0x80 || second == 0x88 || second == 0x94 || second == 0x96;
    case 0xE3: return second == 0x80;
    default: return second == 0xBC || second == 0xBD;
  }
}

std::string_view normalize_punctuation(std::string_view text, Arena& arena) {
  MarkedBytes marked(text, lead_bytes_of_punctuation);
  Rewriting rewriting(text, arena);
  for (std::size_t at = marked.next(0); at < text.size(); at = marked.next(at + 1)) {
    if (!may_start_punctuation(text.data() + at)) continue;
    const char* end = text.data() + at;
    const std::string_view ascii = ascii_punctuation(unicode::next_code_point(end));
    if (!ascii.empty()) rewriting.replace(at, static_cast<std::size_t>(end - text.data()), ascii);
  }
  return rewriting.finish();
}

constexpr auto lead_bytes_of_space = ByteSet([](unsigned char byte) {
  return byte == '\t' || byte == 0xC2 || byte == 0xE2 || byte == 0xE3 || byte == 0xEF;
});

/// Bytes of the white-space or zero-width character that stands at `at` and becomes a space; 0 for anything else.
/// TAB, U+0084, U+00A0, U+2000-200D, U+202F, U+205F, U+2060, U+3000, U+FFFC.
std::size_t odd_space_bytes(const char* at) noexcept {
  const auto byte = [&](int i) { return static_cast<unsigned char>(at[i]); };
  switch (byte(0)) {
    case '\t': return 1;
    case 0xC2: return byte(1) == 0x84 || byte(1) == 0xA0 ? 2 : 0;
    case 0xE2:
      if (byte(1) == 0x80) return byte(2) <= 0x8D || byte(2) == 0xAF ? 3 : 0;
      return byte(1) == 0x81 && (byte(2) == 0x9F || byte(2) == 0xA0) ? 3 : 0;
    case 0xE3: return byte(1) == 0x80 && byte(2) == 0x80 ? 3 : 0;
    default: return byte(1) == 0xBF && byte(2) == 0xBC ? 3 : 0;
  }
}

std::string_view normalize_whitespace(std::string_view text, Arena& arena) {
  const std::string_view stripped = unicode::strip(text);
  MarkedBytes marked(stripped, lead_bytes_of_space);
  Rewriting rewriting(stripped, arena);
  for (std::size_t at = marked.next(0); at < stripped.size(); at = marked.next(at + 1)) {
    const std::size_t bytes = odd_space_bytes(stripped.data() + at);
    if (bytes != 0) rewriting.replace(at, at + bytes, " ");
  }
  return rewriting.finish();
}

}  // namespace

void register_characters(Registry& registry) {
  registry.add({
      .name = "normalize_punctuation",
      .summary = "The text with Unicode punctuation marks replaced by their ASCII forms.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params&) { return per_text_rewrite(&normalize_punctuation); },
  });
  registry.add({
      .name = "normalize_whitespace",
      .summary = "The text without outer white space, every kind of space and every zero-width character made a space.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params&) { return per_text_rewrite(&normalize_whitespace); },
  });
}

}  // namespace djfast
