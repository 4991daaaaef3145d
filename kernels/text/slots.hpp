// Hash tables that are filled at once: each item falls into a slot, and the first item of a slot leads those behind it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace djfast::kernels::text {

/// N-grams whose slots are computed at a time.
constexpr std::size_t gram_block = 2048;
/// Entries that followers may write beyond their number, and that slots and tables have beyond theirs.
constexpr std::size_t slot_margin = 16;

struct SlotKernels {
  /// Writes the slot, below 2^bits, of each of `count` > 0 n-grams of some codes: equal ones have the same slot.
  /// `room` has max(gram_block, n) + n entries; 0 < bits < 32.
  void (*place_bytes)(const std::uint8_t* codes, std::size_t count, std::size_t n, unsigned bits, std::uint32_t* room,
                      std::uint32_t* slots) noexcept;
  void (*place_short_codes)(const std::uint16_t* codes, std::size_t count, std::size_t n, unsigned bits,
                            std::uint32_t* room, std::uint32_t* slots) noexcept;
  void (*place_long_codes)(const std::uint32_t* codes, std::size_t count, std::size_t n, unsigned bits,
                           std::uint32_t* room, std::uint32_t* slots) noexcept;
  /// Writes the items that are not the first of their slot, ascending, and which item that is; returns their number.
  /// What `table` held does not matter.
  std::size_t (*follow_short)(const std::uint32_t* slots, std::size_t count, std::uint16_t* table,
                              std::uint16_t* followers, std::uint16_t* leaders) noexcept;
  std::size_t (*follow_long)(const std::uint32_t* slots, std::size_t count, std::uint32_t* table,
                             std::uint32_t* followers, std::uint32_t* leaders) noexcept;
  /// Writes the numbers that are not zero, in their order, and returns how many there are.
  std::size_t (*list_short)(const std::uint16_t* numbers, std::size_t count, std::uint32_t* listed) noexcept;
  std::size_t (*list_long)(const std::uint32_t* numbers, std::size_t count, std::uint32_t* listed) noexcept;
};

const SlotKernels& slots() noexcept;

}  // namespace djfast::kernels::text
