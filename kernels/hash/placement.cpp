#include "kernels/hash/placement.hpp"

#include <random>

namespace djfast::kernels {
namespace {

std::array<std::uint64_t, 4> drawn_seeds() {
  std::random_device device;
  std::array<std::uint64_t, 4> seeds{};
  for (auto& seed : seeds) seed = std::uint64_t{device()} << 32 | device();
  return seeds;
}

std::uint64_t load_four(const char* bytes) noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace

const std::array<std::uint64_t, 4> placement_seeds = drawn_seeds();

std::uint64_t place_of(std::string_view bytes) noexcept {
  const auto& seeds = placement_seeds;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t hash = seeds[0] ^ left * mixing_numbers[0];
  for (; left > 16; left -= 16, at += 16) {
    hash = fold(load_little_endian(at) ^ seeds[1], load_little_endian(at + 8) ^ hash);
  }
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  // Two loads that overlap in the middle cover each size.
  if (left >= 8) {
    low = load_little_endian(at);
    high = load_little_endian(at + left - 8);
  } else if (left >= 4) {
    low = load_four(at);
    high = load_four(at + left - 4);
  } else if (left > 0) {
    const auto byte = [at](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])}; };
    low = byte(0) << 16 | byte(left / 2) << 8 | byte(left - 1);
  }
  return fold(fold(low ^ seeds[2], high ^ hash) ^ seeds[3], mixing_numbers[1]);
}

}  // namespace djfast::kernels
