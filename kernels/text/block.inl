// 64 bytes of text as a value that answers questions with bit masks: bit i speaks of byte i. Included once per
// instruction set, inside that set's namespace, with DJFAST_TARGET naming its target attribute and
// DJFAST_VECTOR_BITS its vector width (0: none).

class Block {
 public:
  /// The 64 bytes at `at`.
  DJFAST_TARGET DJFAST_INLINE static Block load(const char* at) noexcept {
    Block block;
#if DJFAST_VECTOR_BITS == 512
    block.bytes_ = _mm512_loadu_si512(at);
#elif DJFAST_VECTOR_BITS == 256
    block.low_ = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    block.high_ = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32));
#else
    std::memcpy(block.bytes_, at, 64);
#endif
    return block;
  }

  /// The first `size` < 64 bytes at `at`, then bytes `filler`. Reads nothing past them.
  DJFAST_TARGET DJFAST_INLINE static Block load_part(const char* at, std::size_t size, char filler) noexcept {
#if DJFAST_VECTOR_BITS == 512
    Block block;
    block.bytes_ = _mm512_mask_loadu_epi8(_mm512_set1_epi8(filler), (std::uint64_t{1} << size) - 1, at);
    return block;
#else
    char bytes[64];
    std::memset(bytes, filler, 64);
    if (size != 0) std::memcpy(bytes, at, size);
    return load(bytes);
#endif
  }

  DJFAST_TARGET DJFAST_INLINE std::uint64_t equal(std::uint8_t value) const noexcept {
#if DJFAST_VECTOR_BITS == 512
    return _mm512_cmpeq_epi8_mask(bytes_, _mm512_set1_epi8(static_cast<char>(value)));
#elif DJFAST_VECTOR_BITS == 256
    const __m256i wanted = _mm256_set1_epi8(static_cast<char>(value));
    return joined(_mm256_cmpeq_epi8(low_, wanted), _mm256_cmpeq_epi8(high_, wanted));
#else
    std::uint64_t mask = 0;
    for (int i = 0; i < 64; ++i) mask |= std::uint64_t{bytes_[i] == value} << i;
    return mask;
#endif
  }

  /// Bytes in [first, last], unsigned.
  DJFAST_TARGET DJFAST_INLINE std::uint64_t between(std::uint8_t first, std::uint8_t last) const noexcept {
#if DJFAST_VECTOR_BITS == 512
    const __m512i distance = _mm512_sub_epi8(bytes_, _mm512_set1_epi8(static_cast<char>(first)));
    return _mm512_cmple_epu8_mask(distance, _mm512_set1_epi8(static_cast<char>(last - first)));
#elif DJFAST_VECTOR_BITS == 256
    const __m256i start = _mm256_set1_epi8(static_cast<char>(first));
    const __m256i width = _mm256_set1_epi8(static_cast<char>(last - first));
    const __m256i low = _mm256_sub_epi8(low_, start);
    const __m256i high = _mm256_sub_epi8(high_, start);
    return joined(_mm256_cmpeq_epi8(_mm256_min_epu8(low, width), low),
                  _mm256_cmpeq_epi8(_mm256_min_epu8(high, width), high));
#else
    std::uint64_t mask = 0;
    for (int i = 0; i < 64; ++i) {
      mask |= std::uint64_t{static_cast<std::uint8_t>(bytes_[i] - first) <= last - first} << i;
    }
    return mask;
#endif
  }

  /// Bytes of 0x80 and above.
  DJFAST_TARGET DJFAST_INLINE std::uint64_t not_ascii() const noexcept {
#if DJFAST_VECTOR_BITS == 512
    return _mm512_movepi8_mask(bytes_);
#elif DJFAST_VECTOR_BITS == 256
    return joined(low_, high_);
#else
    return between(0x80, 0xFF);
#endif
  }

  /// Bytes that continue a code point: 10xxxxxx, as signed numbers below -64.
  DJFAST_TARGET DJFAST_INLINE std::uint64_t continuations() const noexcept {
#if DJFAST_VECTOR_BITS == 512
    return _mm512_cmplt_epi8_mask(bytes_, _mm512_set1_epi8(-64));
#elif DJFAST_VECTOR_BITS == 256
    const __m256i bound = _mm256_set1_epi8(-64);
    return joined(_mm256_cmpgt_epi8(bound, low_), _mm256_cmpgt_epi8(bound, high_));
#else
    return between(0x80, 0xBF);
#endif
  }

  /// Letters of either case, A to Z.
  DJFAST_TARGET DJFAST_INLINE std::uint64_t ascii_letters() const noexcept {
#if DJFAST_VECTOR_BITS == 512
    const __m512i folded = _mm512_or_si512(bytes_, _mm512_set1_epi8(0x20));
    const __m512i distance = _mm512_sub_epi8(folded, _mm512_set1_epi8('a'));
    return _mm512_cmplt_epu8_mask(distance, _mm512_set1_epi8(26));
#else
    return between('a', 'z') | between('A', 'Z');
#endif
  }

  /// Writes the 64 bytes with A to Z in lower case.
  DJFAST_TARGET DJFAST_INLINE void store_ascii_lower(char* out) const noexcept {
#if DJFAST_VECTOR_BITS == 512
    _mm512_storeu_si512(out, _mm512_mask_add_epi8(bytes_, between('A', 'Z'), bytes_, _mm512_set1_epi8(0x20)));
#elif DJFAST_VECTOR_BITS == 256
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), lowered(low_));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 32), lowered(high_));
#else
    for (int i = 0; i < 64; ++i) {
      out[i] = static_cast<char>(bytes_[i] + (static_cast<std::uint8_t>(bytes_[i] - 'A') < 26 ? 0x20 : 0));
    }
#endif
  }

 private:
#if DJFAST_VECTOR_BITS == 512
  __m512i bytes_;
#elif DJFAST_VECTOR_BITS == 256
  DJFAST_TARGET DJFAST_INLINE static std::uint64_t joined(__m256i low, __m256i high) noexcept {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) |
           std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(high))} << 32;
  }
  DJFAST_TARGET DJFAST_INLINE static __m256i lowered(__m256i bytes) noexcept {
    const __m256i distance = _mm256_sub_epi8(bytes, _mm256_set1_epi8('A'));
    const __m256i capital = _mm256_cmpeq_epi8(_mm256_min_epu8(distance, _mm256_set1_epi8(25)), distance);
    return _mm256_add_epi8(bytes, _mm256_and_si256(capital, _mm256_set1_epi8(0x20)));
  }
  __m256i low_;
  __m256i high_;
#else
  std::uint8_t bytes_[64];
#endif
};
