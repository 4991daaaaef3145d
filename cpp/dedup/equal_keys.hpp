// Rows with equal keys, found by hashing: first into partitions that fit the cache, then in one small table for each.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "djfast/pulse.hpp"
#include "kernels/hash/placement.hpp"

namespace djfast {

using kernels::place_of;

template <class Key>
struct KeyedRow {
  Key key;
  std::uint32_t row;
};

/// Finds rows with equal keys, of which `place_of` gives 64 good bits. Its memory is kept for the next call.
template <class Key>
class EqualKeys {
 public:
  /// The pulse must outlive this.
  explicit EqualKeys(const Pulse& pulse) : pulse_(pulse) {}

  /// Rows to compare, to be filled in ascending order before each call.
  std::vector<KeyedRow<Key>>& rows() noexcept { return rows_; }

  /// Calls link(first, row) for every row whose key an earlier row has, where first is the first such row. The calls come in
  /// no order.
  template <class Link>
  void for_each_repeat(Link link) {
    const std::size_t count = rows_.size();
    const int bits = count > partition_rows ? std::bit_width((count - 1) / partition_rows) : 0;
    if (bits == 0) return find_repeats(rows_.data(), count, link);
    const std::size_t partitions = std::size_t{1} << bits;
    const auto partition_of = [bits](const KeyedRow<Key>& row) { return place_of(row.key) >> (64 - bits); };
    starts_.assign(partitions + 1, 0);
    for (const auto& row : rows_) ++starts_[partition_of(row) + 1];
    for (std::size_t i = 0; i < partitions; ++i) starts_[i + 1] += starts_[i];
    partitioned_.resize(count);
    next_.assign(starts_.begin(), starts_.end() - 1);
    for (const auto& row : rows_) partitioned_[next_[partition_of(row)]++] = row;  // keeps the order of rows
    for (std::size_t i = 0; i < partitions; ++i) {
      pulse_.beat();
      find_repeats(partitioned_.data() + starts_[i], starts_[i + 1] - starts_[i], link);
    }
  }

  /// The same for `count` rows of which `compared` are: `key_of(row)` is asked for in their order, in each of so many `rounds`
  /// (a power of two), which each take a share of the keys and so need a share of the memory.
  template <class Compared, class KeyOf, class Link>
  void for_each_repeat(std::size_t count, std::size_t rounds, Compared compared, KeyOf key_of, Link link) {
    for (std::size_t round = 0; round < rounds; ++round) {
      rows_.clear();
      for (std::size_t row = 0; row < count; ++row) {
        if (row % partition_rows == 0) pulse_.beat();
        if (!compared(row)) continue;
        const Key key = key_of(row);
        // Other bits of a place are those of the partition and the slot.
        if (rounds > 1 && (place_of(key) >> 24 & (rounds - 1)) != round) continue;
        rows_.push_back({key, static_cast<std::uint32_t>(row)});
      }
      for_each_repeat(link);
    }
  }

  static constexpr std::size_t row_bytes = 2 * sizeof(KeyedRow<Key>);

 private:
  static constexpr std::size_t partition_rows = 1 << 14;

  template <class Link>
  void find_repeats(const KeyedRow<Key>* rows, std::size_t count, Link link) {
    if (count < 2) return;
    // Slots hold 1 + the index of a first row; the bits below the partition's choose the slot.
    const int bits = std::bit_width(2 * count - 1);
    const std::size_t mask = (std::size_t{1} << bits) - 1;
    slots_.assign(mask + 1, 0);
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t slot = place_of(rows[i].key) & mask;
      while (slots_[slot] != 0 && !(rows[slots_[slot] - 1].key == rows[i].key)) slot = (slot + 1) & mask;
      if (slots_[slot] == 0) {
        slots_[slot] = static_cast<std::uint32_t>(i + 1);
      } else {
        link(rows[slots_[slot] - 1].row, rows[i].row);
      }
    }
  }

  const Pulse& pulse_;
  std::vector<KeyedRow<Key>> rows_;
  std::vector<KeyedRow<Key>> partitioned_;
  std::vector<std::size_t> starts_;
  std::vector<std::size_t> next_;
  std::vector<std::uint32_t> slots_;
};

}  // namespace djfast
