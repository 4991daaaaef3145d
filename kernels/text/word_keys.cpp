#include "kernels/text/word_keys.hpp"

#include "kernels/text/per_isa.hpp"

namespace djfast::kernels::text {
namespace {

std::uint64_t load_word(const char* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, 8);
  return word;
}

WordKey long_key(std::string_view word) noexcept {
  const char* at = word.data();
  const char* last = at + word.size() - 16;
  std::uint64_t hash = word.size();
  for (; at < last; at += 16) hash = mixed_product(load_word(at) ^ hash, load_word(at + 8) ^ 0xA0761D6478BD642F);
  hash = mixed_product(load_word(last) ^ hash, load_word(last + 8) ^ 0xE7037ED1A0B428DB);
  return {hash, ~hash};
}

#define DJFAST_KERNELS "kernels/text/word_keys.inl"
#include "kernels/text/each_isa.inl"
#undef DJFAST_KERNELS

}  // namespace

const WordKeyKernels& word_keys() noexcept { return for_isa(avx512::kernels, avx2::kernels, serial::kernels); }

}  // namespace djfast::kernels::text
