// Words as 16-byte keys: comparing and hashing them no longer touches the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace djfast::kernels::text {

/// Up to 16 bytes: the word itself, zero-filled. Longer words: a hash of it. Words of the same size up to 16 bytes are
/// equal exactly when their keys are; longer ones with equal keys have to be compared.
struct WordKey {
  std::uint64_t low;
  std::uint64_t high;
  friend bool operator==(const WordKey&, const WordKey&) = default;
};

constexpr std::size_t exact_key_bytes = 16;

struct WordKeyKernels {
  /// Fills `keys[0, count)`.
  void (*load_keys)(const std::string_view* words, std::size_t count, WordKey* keys) noexcept;
};

const WordKeyKernels& word_keys() noexcept;

/// 128-bit product, folded: every bit of both factors reaches every bit of the result.
inline std::uint64_t mixed_product(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Hash of a word by its key and size.
inline std::uint64_t hash_of(const WordKey& key, std::size_t size) noexcept {
  return mixed_product(key.low ^ 0x9E3779B97F4A7C15 ^ size << 56, key.high ^ 0xD1B54A32D192ED03);
}

}  // namespace djfast::kernels::text
