// The kernels of word_keys.hpp; included once per instruction set.

/// Key of a word of at most 16 bytes. Reads no byte outside it.
DJFAST_TARGET DJFAST_INLINE WordKey short_key(const char* word, std::size_t size) noexcept {
#if DJFAST_VECTOR_BITS == 512
  const auto mask = static_cast<__mmask16>(_bzhi_u32(0xFFFF, static_cast<unsigned>(size)));
  const __m128i bytes = _mm_maskz_loadu_epi8(mask, word);
  return {static_cast<std::uint64_t>(_mm_cvtsi128_si64(bytes)),
          static_cast<std::uint64_t>(_mm_extract_epi64(bytes, 1))};
#else
  // Two loads that overlap in the middle cover each size; equal bytes fall on each other.
  if (size >= 8) {
    const std::size_t beyond = size - 8;
    const std::uint64_t tail = load_word(word + beyond);
    return {load_word(word), beyond == 0 ? 0 : tail >> (64 - 8 * beyond)};
  }
  if (size >= 4) {
    std::uint32_t head = 0;
    std::uint32_t tail = 0;
    std::memcpy(&head, word, 4);
    std::memcpy(&tail, word + size - 4, 4);
    return {head | std::uint64_t{tail} << (8 * (size - 4)), 0};
  }
  if (size == 0) return {0, 0};
  const auto byte = [word](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(word[i])} << (8 * i); };
  return {byte(0) | byte(size / 2) | byte(size - 1), 0};
#endif
}

DJFAST_TARGET void load_keys(const std::string_view* words, std::size_t count, WordKey* keys) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = words[i].size();
    keys[i] = size <= exact_key_bytes ? short_key(words[i].data(), size) : long_key(words[i]);
  }
}

const WordKeyKernels kernels{.load_keys = &load_keys};
