// How many rows have each of many keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace djfast {

/// Counts of 64-bit keys; 12 bytes a key in an open-addressing table at most two thirds full.
class KeyCounts {
 public:
  /// Counts each key `count` times. 0 is no key. Counts stop at the largest 32-bit number.
  void add(std::span<const std::uint64_t> keys, std::uint32_t count = 1);
  void add(std::span<const std::uint64_t> keys, std::span<const std::uint32_t> counts);

  std::size_t size() const noexcept { return size_; }
  std::size_t used_bytes() const noexcept { return keys_.size() * (sizeof(std::uint64_t) + sizeof(std::uint32_t)); }

  /// Keys with counts above a threshold, ascending, and their counts.
  std::pair<std::vector<std::uint64_t>, std::vector<std::uint32_t>> above(std::uint32_t threshold) const;

 private:
  void add_one(std::uint64_t key, std::uint32_t count);
  void grow();

  std::vector<std::uint64_t> keys_;  // 0 is a free place
  std::vector<std::uint32_t> counts_;
  std::size_t size_ = 0;
};

}  // namespace djfast
