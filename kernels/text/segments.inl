// The kernels of segments.hpp; included once per instruction set.
#include "kernels/text/block.inl"

DJFAST_TARGET DJFAST_INLINE Block load_rest(const char* at, const char* end, char filler) noexcept {
  return end - at >= 64 ? Block::load(at) : Block::load_part(at, static_cast<std::size_t>(end - at), filler);
}

DJFAST_TARGET DJFAST_INLINE std::size_t ones(std::uint64_t mask) noexcept {
  return static_cast<std::size_t>(std::popcount(mask));
}

DJFAST_TARGET std::size_t count_code_points(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  std::size_t continuations = 0;
  for (const char* at = text.data(); at < end; at += 64) {
    continuations += ones(load_rest(at, end, 0).continuations());
  }
  return text.size() - continuations;
}

/// Bits at the first bytes of those code points beyond ASCII, starting in the 64 bytes at `at`, that have a class.
DJFAST_TARGET DJFAST_INLINE std::uint64_t having_class(const char* at, std::uint64_t leads,
                                                       std::uint16_t classes) noexcept {
  std::uint64_t having = 0;
  for (; leads != 0; leads &= leads - 1) {
    const char* lead = at + std::countr_zero(leads);
    const std::uint16_t found = class_bits(unicode::next_code_point(lead));
    having |= (found & classes) != 0 ? leads & -leads : 0;
  }
  return having;
}

DJFAST_TARGET DJFAST_INLINE std::uint64_t ascii_special(const Block& block) noexcept {
  return (block.between(' ', '~') & ~block.ascii_letters()) | block.between('\t', '\r');
}

template <std::uint16_t class_wanted>
DJFAST_TARGET std::size_t count_class(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  std::size_t count = 0;
  for (const char* at = text.data(); at < end; at += 64) {
    const Block block = load_rest(at, end, 0);  // NUL has none of the classes
    if constexpr (class_wanted == unicode::special) {
      count += ones(ascii_special(block));
    } else if constexpr (class_wanted == unicode::alnum) {
      count += ones(block.ascii_letters() | block.between('0', '9'));
    } else {
      count += ones(block.ascii_letters());
    }
    const std::uint64_t not_ascii = block.not_ascii();
    if (not_ascii != 0) {
      for (std::uint64_t leads = not_ascii & ~block.continuations(); leads != 0; leads &= leads - 1) {
        const char* lead = at + std::countr_zero(leads);
        count += (class_bits(unicode::next_code_point(lead)) & class_wanted) != 0 ? 1 : 0;
      }
    }
  }
  return count;
}

/// Line separators that end in one block.
struct Breaks {
  std::uint64_t last_bytes;   // last byte of each separator; of CR LF, the CR
  std::uint64_t long_ones;    // those of separators beyond ASCII: NEL, LS, PS
  std::uint64_t skipped;      // the LF of CR LF
};

/// What the previous block says about separators that span two blocks.
struct BreakCarry {
  std::uint64_t carriage_return = 0;
  std::uint64_t c2 = 0;
  std::uint64_t e2 = 0;
  std::uint64_t x80 = 0;
};

DJFAST_TARGET DJFAST_INLINE Breaks find_breaks(const Block& block, std::uint64_t not_ascii, BreakCarry& carry) noexcept {
  Breaks breaks{block.between('\n', '\r') | block.between(0x1C, 0x1E), 0, 0};
  if ((breaks.last_bytes | carry.carriage_return) != 0) {
    const std::uint64_t carriage_return = block.equal('\r');
    breaks.skipped = (carriage_return << 1 | carry.carriage_return) & block.equal('\n');
    breaks.last_bytes &= ~breaks.skipped;
    carry.carriage_return = carriage_return >> 63;
  }
  if (not_ascii != 0) {
    const std::uint64_t c2 = block.equal(0xC2);
    const std::uint64_t e2 = block.equal(0xE2);
    const std::uint64_t x80 = block.equal(0x80);
    breaks.long_ones = ((c2 << 1 | carry.c2) & block.equal(0x85)) |
                       ((e2 << 2 | carry.e2) & (x80 << 1 | carry.x80) & block.between(0xA8, 0xA9));
    breaks.last_bytes |= breaks.long_ones;
    carry.c2 = c2 >> 63;
    carry.e2 = e2 >> 62;
    carry.x80 = x80 >> 63;
  } else {
    carry.c2 = carry.e2 = carry.x80 = 0;
  }
  return breaks;
}

DJFAST_TARGET std::size_t count_lines(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  std::size_t count = 0;
  BreakCarry carry;
  for (const char* at = text.data(); at < end; at += 64) {
    const Block block = load_rest(at, end, 0);
    count += ones(find_breaks(block, block.not_ascii(), carry).last_bytes);
  }
  return count + (text.empty() || ends_with_break(text) ? 0 : 1);
}

DJFAST_TARGET std::uint64_t* line_lengths(std::string_view text, std::uint64_t* lengths) noexcept {
  const char* end = text.data() + text.size();
  BreakCarry carry;
  std::uint64_t length = 0;  // of the line so far
  for (const char* at = text.data(); at < end; at += 64) {
    const Block block = load_rest(at, end, static_cast<char>(0x80));  // a continuation byte counts for nothing
    const std::uint64_t not_ascii = block.not_ascii();
    const Breaks breaks = find_breaks(block, not_ascii, carry);
    const std::uint64_t ends = breaks.last_bytes;
    // A long separator's first byte is counted like a character's and taken off where the separator ends.
    std::uint64_t counted = ~((not_ascii != 0 ? block.continuations() : 0) | ends | breaks.skipped);
    // Most blocks end no line, one or two: two steps without a branch, where a step without a line end writes a length
    // that is not final and does not keep it.
    std::uint64_t rest = ends;
    do {
      for (int step = 0; step < 2; ++step) {
        const std::uint64_t before = rest ^ (rest - 1);  // up to and with the separator's last byte, or the whole block
        const std::uint64_t so_far =
            length + ones(counted & before) - ((breaks.long_ones & rest & -rest) != 0 ? 1 : 0);
        *lengths = so_far;
        lengths += rest != 0 ? 1 : 0;
        length = so_far & (std::uint64_t{rest != 0} - 1);
        counted &= ~before;
        rest &= rest - 1;
      }
    } while (rest != 0);
    length += ones(counted);
  }
  if (!text.empty() && !ends_with_break(text)) *lengths++ = length;
  return lengths;
}

DJFAST_TARGET DJFAST_INLINE std::uint64_t word_separators(const Block& block) noexcept {
  return block.equal(' ') | block.between('\t', '\n');
}

/// What the previous block says about a word that spans two blocks.
struct WordCarry {
  std::uint64_t in_word = 0;      // 1 when the byte before the block belongs to a word
  std::uint64_t all_special = 0;  // 1 when moreover that word is special so far
};

/// The bytes of words, each from its first code point that is not special on, in the block at `at`. A byte that
/// continues a code point counts as special; it is the code point's first byte that says otherwise.
DJFAST_TARGET DJFAST_INLINE std::uint64_t word_contents(const char* at, const Block& block, std::uint64_t word,
                                                        std::uint64_t special, WordCarry& carry) noexcept {
  const std::uint64_t not_ascii = block.not_ascii();
  std::uint64_t unknown = 0;  // first bytes of code points whose class is not looked up yet
  if (not_ascii != 0) {
    const std::uint64_t continuations = block.continuations();
    special |= continuations;
    unknown = not_ascii & ~continuations;
  }
  const std::uint64_t starts = word & ~(word << 1 | carry.in_word);
  carry.in_word = word >> 63;
  for (;;) {
    // Adding a word's start to its run of special bytes carries to the byte behind the run.
    const std::uint64_t run = word & special;
    std::uint64_t sum = 0;
    bool is_all_special = __builtin_add_overflow(run, starts & run, &sum);
    is_all_special |= __builtin_add_overflow(sum, carry.all_special, &sum);
    const std::uint64_t contents = word & ~(run & ~sum);
    // Only a code point at the front of its word is worth a look at its class.
    const std::uint64_t asked = unknown & ((starts & ~run) | (sum & ~run));
    const std::uint64_t found = asked == 0 ? 0 : having_class(at, asked, unicode::special);
    if (found == 0) {
      carry.all_special = is_all_special ? 1 : 0;
      return contents;
    }
    special |= found;
    unknown &= ~asked;
  }
}

DJFAST_TARGET std::size_t count_words(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  std::size_t words = 0;
  WordCarry carry;
  std::uint64_t in_contents = 0;  // 1 when the byte before the block belongs to the contents of a word
  for (const char* at = text.data(); at < end; at += 64) {
    const Block block = load_rest(at, end, ' ');
    const std::uint64_t contents = word_contents(at, block, ~word_separators(block), ascii_special(block), carry);
    words += ones(contents & ~(contents << 1 | in_contents));
    in_contents = contents >> 63;
  }
  return words;
}

/// Writes `place` + the number of each set bit, and returns the end. Up to 16 entries past it are written too.
DJFAST_TARGET DJFAST_INLINE std::uint32_t* append_positions(std::uint64_t bits, std::uint32_t place,
                                                            std::uint32_t* positions) noexcept {
#if DJFAST_VECTOR_BITS == 512
  const __m512i sixteen = _mm512_set1_epi32(16);
  __m512i numbers = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(place)),
                                     _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  for (int part = 0; part < 4; ++part, bits >>= 16) {
    const auto mask = static_cast<__mmask16>(bits);
    _mm512_storeu_si512(positions, _mm512_maskz_compress_epi32(mask, numbers));
    positions += std::popcount(bits & 0xFFFF);
    numbers = _mm512_add_epi32(numbers, sixteen);
  }
  return positions;
#else
  std::uint32_t* const end = positions + std::popcount(bits);
  for (; positions < end; positions += 8) {  // eight at a time: a step too many is cheaper than a mispredicted end
    for (int i = 0; i < 8; ++i) {
      positions[i] = place + static_cast<std::uint32_t>(std::countr_zero(bits));
      bits &= bits - 1;
    }
  }
  return end;
#endif
}

DJFAST_TARGET std::uint32_t* word_edges(std::string_view text, std::uint32_t* edges) noexcept {
  const char* end = text.data() + text.size();
  WordCarry carry;
  std::uint64_t in_contents = 0;  // 1 when the byte before the block belongs to the contents of a word
  std::uint32_t place = 0;
  for (const char* at = text.data(); at < end; at += 64, place += 64) {
    const Block block = load_rest(at, end, ' ');
    const std::uint64_t separators = word_separators(block);
    const std::uint64_t special = ascii_special(block);
    // Most words end in at most two special characters.
    const std::uint64_t last = special & separators >> 1;
    const std::uint64_t last_two = last | (special & last >> 1);
    const std::uint64_t contents = word_contents(at, block, ~separators, special, carry) & ~last_two;
    edges = append_positions(contents ^ (contents << 1 | in_contents), place, edges);
    in_contents = contents >> 63;
  }
  if (in_contents != 0) *edges++ = static_cast<std::uint32_t>(text.size());
  return edges;
}

const SegmentKernels kernels{
    .count_code_points = &count_code_points,
    .count_alnum = &count_class<unicode::alnum>,
    .count_alpha = &count_class<unicode::alpha>,
    .count_special = &count_class<unicode::special>,
    .count_lines = &count_lines,
    .line_lengths = &line_lengths,
    .count_words = &count_words,
    .word_edges = &word_edges,
};
