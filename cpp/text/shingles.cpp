#include "djfast/shingles.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "djfast/errors.hpp"
#include "djfast/unicode.hpp"
#include "kernels/hash/token_bounds.hpp"

namespace djfast {
namespace {

constexpr std::size_t readable_slack = 64;

bool is_punctuation(char32_t code_point) noexcept {
  return (unicode::classes_of(code_point) & unicode::regex_punctuation) != 0;
}

const std::array<bool, 128>& ascii_punctuation() {
  static const auto table = [] {
    std::array<bool, 128> is{};
    for (char32_t c = 0; c < 128; ++c) is[c] = is_punctuation(c);
    return is;
  }();
  return table;
}

}  // namespace

Tokenization tokenization_named(const std::string& name) {
  if (name == "space") return Tokenization::space;
  if (name == "punctuation") return Tokenization::punctuation;
  if (name == "character") return Tokenization::character;
  throw UserError("tokenization must be space, punctuation or character, got " + name);
}

void Tokens::reserve(std::size_t bytes, std::size_t tokens) {
  if (bytes >= UINT32_MAX - readable_slack) {
    throw UserError("text too long for shingles: it must be shorter than 4 GiB");
  }
  if (buffer_.size() < bytes + readable_slack) buffer_.resize(bytes + readable_slack);
  if (bounds_.size() < 2 * tokens + 1) bounds_.resize(2 * tokens + 1);
}

void Tokens::split(std::string_view text, Tokenization tokenization) {
  switch (tokenization) {
    case Tokenization::space: return split_at_spaces(text);
    case Tokenization::punctuation: return split_at_punctuation(text);
    case Tokenization::character: return split_characters(text);
  }
}

void Tokens::split_at_spaces(std::string_view text) {
  reserve(text.size(), text.size() / 2 + 17);
  const std::size_t words = (text.size() + 63) / 64;
  if (marks_.size() < words) marks_.resize(words);
  kernels::mark_byte(text, ' ', marks_.data());
  const std::size_t size = kernels::join_marked(text, marks_.data(), buffer_.data());
  std::size_t changes = kernels::list_changes({marks_.data(), (size + 63) / 64}, bounds_.data() + 1);
  // Without a space after it, the last token ends where the text does; past the text all is marked only up to 64 bytes.
  if (changes % 2 == 1) bounds_[++changes] = static_cast<std::uint32_t>(size);
  count_ = changes / 2;
}

void Tokens::split_at_punctuation(std::string_view text) {
  reserve(text.size(), text.size() + 1);
  const auto& ascii = ascii_punctuation();
  char* out = buffer_.data();
  std::uint32_t* bound = bounds_.data() + 1;
  *bound++ = 0;
  const auto separate = [&] {
    *bound++ = static_cast<std::uint32_t>(out - buffer_.data());
    *out++ = ' ';
    *bound++ = static_cast<std::uint32_t>(out - buffer_.data());
  };
  const char* at = text.data();
  for (const char* end = at + text.size(); at != end;) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < 0x80) {
      ++at;
      if (ascii[byte]) {
        separate();
      } else {
        *out++ = static_cast<char>(byte);
      }
      continue;
    }
    const char* start = at;
    if (is_punctuation(unicode::next_code_point(at))) {
      separate();
    } else {
      out = std::copy(start, at, out);
    }
  }
  *bound++ = static_cast<std::uint32_t>(out - buffer_.data());
  count_ = static_cast<std::size_t>(bound - bounds_.data()) / 2;
}

void Tokens::split_characters(std::string_view text) {
  reserve(text.size(), text.size() + 1);
  if (!text.empty()) std::memcpy(buffer_.data(), text.data(), text.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // Written for every byte and kept for those that begin a code point: no branch.
    bounds_[2 * count] = static_cast<std::uint32_t>(i);
    bounds_[2 * count + 1] = static_cast<std::uint32_t>(i);
    count += (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 ? 1 : 0;
  }
  bounds_[2 * count] = static_cast<std::uint32_t>(text.size());
  count_ = count;
}

void Tokens::take(std::span<const std::string_view> tokens, std::string_view join) {
  std::size_t bytes = 0;
  for (const auto token : tokens) bytes += token.size() + join.size();
  reserve(bytes, tokens.size() + 1);
  char* out = buffer_.data();
  std::uint32_t* bound = bounds_.data() + 1;
  for (const auto token : tokens) {
    *bound++ = static_cast<std::uint32_t>(out - buffer_.data());
    out = std::copy(token.begin(), token.end(), out);
    *bound++ = static_cast<std::uint32_t>(out - buffer_.data());
    out = std::copy(join.begin(), join.end(), out);
  }
  count_ = tokens.size();
}

}  // namespace djfast
