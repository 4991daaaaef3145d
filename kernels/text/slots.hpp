// Hash tables that are filled at once: each item falls into a slot, and the first item of a slot leads those behind it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace djfast::kernels::text {

/// N-grams whose slots are computed at a time.
constexpr std::size_t gram_block = 2048;
/// Entries that followers may write beyond their number, and that slots and tables have beyond theirs.
constexpr std::size_t slot_margin = 16;

/// Kernels on items that are numbered by `Index`.
template <class Index>
struct IndexKernels {
  /// Writes the items that are not the first of their slot, ascending, and which item that is; returns their number.
  /// What `table` held does not matter.
  std::size_t (*follow)(const std::uint32_t* slots, std::size_t count, Index* table, Index* followers,
                        Index* leaders) noexcept;
  /// Writes the numbers that are not zero, in their order, and returns how many there are.
  std::size_t (*list)(const Index* numbers, std::size_t count, std::uint32_t* listed) noexcept;
};

/// Kernels on n-grams of codes.
template <class Code>
struct CodeKernels {
  /// Writes the slot, below 2^bits, of each of `count` > 0 n-grams of some codes: equal ones have the same slot.
  /// `room` has max(gram_block, n) + n entries; 0 < bits < 32.
  void (*place)(const Code* codes, std::size_t count, std::size_t n, unsigned bits, std::uint32_t* room,
                std::uint32_t* slots) noexcept;
};

struct SlotKernels : CodeKernels<std::uint8_t>, CodeKernels<std::uint16_t>, CodeKernels<std::uint32_t>,
                     IndexKernels<std::uint16_t>, IndexKernels<std::uint32_t> {
  template <class Code>
  const CodeKernels<Code>& on_codes() const noexcept {
    return *this;
  }
  template <class Index>
  const IndexKernels<Index>& by() const noexcept {
    return *this;
  }
};

const SlotKernels& slots() noexcept;

}  // namespace djfast::kernels::text
