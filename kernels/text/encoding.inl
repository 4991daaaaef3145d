// The kernels of encoding.hpp; included once per instruction set.
#include "kernels/text/block.inl"

DJFAST_TARGET bool is_ascii(std::string_view bytes) noexcept {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  for (; end - at >= 64; at += 64) {
    if (Block::load(at).not_ascii() != 0) return false;
  }
  return Block::load_part(at, static_cast<std::size_t>(end - at), 0).not_ascii() == 0;
}

/// What the bytes before a block ask of it: continuation bytes, as bits 0 to 2, and a bound on its first byte.
struct Expected {
  std::uint64_t continuations = 0;
  std::uint64_t at_least_a0 = 0;  // after E0; smaller is overlong
  std::uint64_t at_most_9f = 0;   // after ED; larger is a surrogate
  std::uint64_t at_least_90 = 0;  // after F0; smaller is overlong
  std::uint64_t at_most_8f = 0;   // after F4; larger is above U+10FFFF
};

/// Nonzero when the block breaks a rule; updates what is expected of the next.
DJFAST_TARGET DJFAST_INLINE std::uint64_t malformed(const Block& block, Expected& expected) noexcept {
  const std::uint64_t continuations = block.continuations();
  const std::uint64_t two = block.between(0xC0, 0xDF);
  const std::uint64_t three = block.between(0xE0, 0xEF);
  const std::uint64_t four = block.between(0xF0, 0xFF);
  const std::uint64_t e0 = block.equal(0xE0);
  const std::uint64_t ed = block.equal(0xED);
  const std::uint64_t f0 = block.equal(0xF0);
  const std::uint64_t f4 = block.equal(0xF4);
  const std::uint64_t wanted =
      (two | three | four) << 1 | (three | four) << 2 | four << 3 | expected.continuations;
  const std::uint64_t below_90 = block.between(0x80, 0x8F);
  const std::uint64_t below_a0 = block.between(0x80, 0x9F);
  std::uint64_t wrong = wanted ^ continuations;
  wrong |= block.between(0xC0, 0xC1) | block.between(0xF5, 0xFF);
  wrong |= (e0 << 1 | expected.at_least_a0) & below_a0;
  wrong |= (ed << 1 | expected.at_most_9f) & ~below_a0;
  wrong |= (f0 << 1 | expected.at_least_90) & below_90;
  wrong |= (f4 << 1 | expected.at_most_8f) & ~below_90;
  expected.continuations = (two | three | four) >> 63 | (three | four) >> 62 | four >> 61;
  expected.at_least_a0 = e0 >> 63;
  expected.at_most_9f = ed >> 63;
  expected.at_least_90 = f0 >> 63;
  expected.at_most_8f = f4 >> 63;
  return wrong;
}

DJFAST_TARGET bool is_valid_utf8(std::string_view bytes) noexcept {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  Expected expected;
  for (; end - at >= 64; at += 64) {
    const Block block = Block::load(at);
    if ((block.not_ascii() | expected.continuations) == 0) continue;
    if (malformed(block, expected) != 0) return false;
  }
  // The zeros that fill the last block are ASCII, so a code point cut off by the end is seen as malformed.
  return malformed(Block::load_part(at, static_cast<std::size_t>(end - at), 0), expected) == 0;
}

/// Bytes that may start a code point that str.lower changes, ASCII aside. The scripts without case that fill most of
/// U+3000 to U+9FFF are passed over (the table generator checks that this is right).
DJFAST_TARGET DJFAST_INLINE std::uint64_t cased_leads(const Block& block, std::uint64_t not_ascii) noexcept {
  if (not_ascii == 0) return 0;
  return block.between(0xC3, 0xF4) & ~block.between(0xE3, 0xE9);
}

DJFAST_TARGET DJFAST_INLINE Block load_rest(const char* at, const char* end) noexcept {
  return end - at >= 64 ? Block::load(at) : Block::load_part(at, static_cast<std::size_t>(end - at), 0);
}

DJFAST_TARGET std::size_t first_upper(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  const char* at = text.data();
  while (at < end) {
    const Block block = load_rest(at, end);
    if (block.between('A', 'Z') != 0) return static_cast<std::size_t>(at - text.data());
    const char* next = at + 64;
    for (std::uint64_t leads = cased_leads(block, block.not_ascii()); leads != 0; leads &= leads - 1) {
      const char* lead = at + std::countr_zero(leads);
      if (lower_leads[static_cast<unsigned char>(*lead)] == 0) continue;
      const char* after = lead;
      const char32_t code_point = unicode::next_code_point(after);
      if ((class_bits(code_point) & unicode::lower_changes) != 0) return static_cast<std::size_t>(at - text.data());
    }
    // The next block starts where a code point does.
    while (next < end && (static_cast<unsigned char>(*next) & 0xC0) == 0x80) ++next;
    at = next;
  }
  return text.size();
}

DJFAST_TARGET char* lower(std::string_view text, std::size_t start, char* out) noexcept {
  const char* end = text.data() + text.size();
  const char* at = text.data() + start;
  while (at < end) {
    const Block block = load_rest(at, end);
    block.store_ascii_lower(out);  // of the last block more than the text is written; the caller has room
    std::ptrdiff_t done = end - at < 64 ? end - at : 64;
    std::ptrdiff_t written = done;
    for (std::uint64_t leads = cased_leads(block, block.not_ascii()); leads != 0; leads &= leads - 1) {
      const std::ptrdiff_t place = std::countr_zero(leads);
      const char* lead = at + place;
      if (lower_leads[static_cast<unsigned char>(*lead)] == 0) continue;
      const char* after = lead;
      const char32_t code_point = unicode::next_code_point(after);
      const std::int32_t distance = lower_distance(code_point);
      if (distance == 0 && code_point != 0x130) continue;
      char* written_end = out + place;
      if (code_point == 0x130) {
        written_end = unicode::append_utf8(unicode::append_utf8(written_end, U'i'), 0x307);
      } else if (code_point == 0x3A3) {
        written_end = unicode::append_utf8(written_end, lower_sigma(text, lead));
      } else {
        const auto lowered = static_cast<std::int32_t>(code_point) + distance;
        written_end = unicode::append_utf8(written_end, static_cast<char32_t>(lowered));
      }
      // A code point that changes its size, or reaches into the next block, ends this block early.
      if (written_end - out != after - at || after - at > 64) {
        done = after - at;
        written = written_end - out;
        break;
      }
    }
    at += done;
    out += written;
  }
  return out;
}

const EncodingKernels kernels{
    .is_ascii = &is_ascii, .is_valid_utf8 = &is_valid_utf8, .first_upper = &first_upper, .lower = &lower};
