// The kernels of slots.hpp; included once per instruction set.

/// Writes the slots of `count` n-grams. Hashes of n codes come from those of n / 2, and from one code more.
template <class Code>
DJFAST_TARGET DJFAST_INLINE void place_block(const Code* codes, std::size_t count, std::size_t n, unsigned bits,
                                             std::uint32_t* hashes, std::uint32_t* slots) noexcept {
  std::size_t size = 1;                    // codes in a hash so far
  std::uint32_t power = hash_point;        // hash_point to the power of size
  const std::size_t length = count + n - 1;
  for (std::size_t i = 0; i < length; ++i) hashes[i] = codes[i];
  for (int bit = std::bit_width(n) - 2; bit >= 0; --bit) {
    const std::size_t doubled = length - 2 * size + 1;
    for (std::size_t i = 0; i < doubled; ++i) hashes[i] = hashes[i] * power + hashes[i + size];
    size *= 2;
    power *= power;
    if ((n >> bit & 1) == 0) continue;
    for (std::size_t i = 0; i < length - size; ++i) hashes[i] = hashes[i] * hash_point + codes[i + size];
    size += 1;
    power *= hash_point;
  }
  for (std::size_t i = 0; i < count; ++i) slots[i] = hashes[i] * slot_factor >> (32 - bits);
}

template <class Code>
DJFAST_TARGET void place(const Code* codes, std::size_t count, std::size_t n, unsigned bits, std::uint32_t* room,
                         std::uint32_t* slots) noexcept {
  const std::size_t block = std::max(gram_block, n);
  for (std::size_t at = 0; at < count; at += block) {
    place_block(codes + at, std::min(block, count - at), n, bits, room, slots + at);
  }
}

template <class Index>
DJFAST_TARGET std::size_t follow(const std::uint32_t* slots, std::size_t count, Index* table, Index* followers,
                                 Index* leaders) noexcept {
  // Written from behind, a slot is left with its first item. Most tables are larger than the first cache, so their
  // memory is asked for some items ahead.
  constexpr std::size_t ahead = 32;
  std::size_t item = count;
  while (item > ahead) {
    --item;
    __builtin_prefetch(&table[slots[item - ahead]], 1);
    table[slots[item]] = static_cast<Index>(item);
  }
  while (item-- > 0) table[slots[item]] = static_cast<Index>(item);
  std::size_t following = 0;
#if DJFAST_VECTOR_BITS == 512
  const __m512i index_bits = _mm512_set1_epi32(sizeof(Index) == 2 ? 0xFFFF : -1);
  __m512i items = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (std::size_t at = 0; at < count; at += 16) {
    const auto inside = static_cast<__mmask16>(_bzhi_u32(0xFFFF, static_cast<unsigned>(std::min<std::size_t>(count - at, 16))));
    const __m512i slot = _mm512_maskz_loadu_epi32(inside, slots + at);
    const __m512i first = _mm512_and_si512(
        _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), inside, slot, table, sizeof(Index)), index_bits);
    const __mmask16 follows = _mm512_mask_cmpneq_epi32_mask(inside, first, items);
    const __m512i follower = _mm512_maskz_compress_epi32(follows, items);
    const __m512i leader = _mm512_maskz_compress_epi32(follows, first);
    if constexpr (sizeof(Index) == 2) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(followers + following), _mm512_maskz_cvtepi32_epi16(0xFFFF, follower));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(leaders + following), _mm512_maskz_cvtepi32_epi16(0xFFFF, leader));
    } else {
      _mm512_storeu_si512(followers + following, follower);
      _mm512_storeu_si512(leaders + following, leader);
    }
    following += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(follows)));
    items = _mm512_add_epi32(items, _mm512_set1_epi32(16));
  }
#else
  for (std::size_t item = 0; item < count; ++item) {
    const Index first = table[slots[item]];
    followers[following] = static_cast<Index>(item);
    leaders[following] = first;
    following += first != item ? 1 : 0;
  }
#endif
  return following;
}

template <class Number>
DJFAST_TARGET std::size_t list(const Number* numbers, std::size_t count, std::uint32_t* listed) noexcept {
  std::size_t found = 0;
  std::size_t at = 0;
#if DJFAST_VECTOR_BITS == 512
  for (; at + 16 <= count; at += 16) {
    __m512i sixteen;
    if constexpr (sizeof(Number) == 2) {
      sixteen = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers + at)));
    } else {
      sixteen = _mm512_loadu_si512(numbers + at);
    }
    const __mmask16 is_there = _mm512_test_epi32_mask(sixteen, sixteen);
    _mm512_storeu_si512(listed + found, _mm512_maskz_compress_epi32(is_there, sixteen));
    found += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(is_there)));
  }
#endif
  for (; at < count; ++at) {
    listed[found] = numbers[at];
    found += numbers[at] != 0 ? 1 : 0;
  }
  return found;
}

const SlotKernels kernels{
    {.place = &place<std::uint8_t>},
    {.place = &place<std::uint16_t>},
    {.place = &place<std::uint32_t>},
    {.follow = &follow<std::uint16_t>, .list = &list<std::uint16_t>},
    {.follow = &follow<std::uint32_t>, .list = &list<std::uint32_t>},
};
