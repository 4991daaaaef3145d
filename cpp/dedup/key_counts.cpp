// How many rows have each of many keys.
#include "djfast/key_counts.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "djfast/errors.hpp"
#include "kernels/hash/placement.hpp"

namespace djfast {
namespace {

constexpr std::size_t first_places = 1 << 12;

std::uint32_t added(std::uint32_t count, std::uint32_t more) noexcept {
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  return more > most - count ? most : count + more;
}

}  // namespace

void KeyCounts::add(std::span<const std::uint64_t> keys, std::uint32_t count) {
  for (const std::uint64_t key : keys) add_one(key, count);
}

void KeyCounts::add(std::span<const std::uint64_t> keys, std::span<const std::uint32_t> counts) {
  if (keys.size() != counts.size()) {
    throw UserError("there must be a count for each of the " + std::to_string(keys.size()) + " keys, got " +
                    std::to_string(counts.size()));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) add_one(keys[i], counts[i]);
}

void KeyCounts::add_one(std::uint64_t key, std::uint32_t count) {
  if (key == 0) return;
  if (3 * size_ >= 2 * keys_.size()) grow();
  const std::size_t mask = keys_.size() - 1;
  std::size_t at = kernels::place_of(key) & mask;
  while (keys_[at] != 0 && keys_[at] != key) at = (at + 1) & mask;
  if (keys_[at] == 0) {
    keys_[at] = key;
    ++size_;
  }
  counts_[at] = added(counts_[at], count);
}

void KeyCounts::grow() {
  const auto keys = std::move(keys_);
  const auto counts = std::move(counts_);
  keys_.assign(std::max(first_places, 2 * keys.size()), 0);
  counts_.assign(keys_.size(), 0);
  const std::size_t mask = keys_.size() - 1;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == 0) continue;
    std::size_t at = kernels::place_of(keys[i]) & mask;
    while (keys_[at] != 0) at = (at + 1) & mask;
    keys_[at] = keys[i];
    counts_[at] = counts[i];
  }
}

std::pair<std::vector<std::uint64_t>, std::vector<std::uint32_t>> KeyCounts::above(std::uint32_t threshold) const {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> found;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i] != 0 && counts_[i] > threshold) found.emplace_back(keys_[i], counts_[i]);
  }
  std::sort(found.begin(), found.end());
  std::pair<std::vector<std::uint64_t>, std::vector<std::uint32_t>> columns;
  for (const auto& [key, count] : found) {
    columns.first.push_back(key);
    columns.second.push_back(count);
  }
  return columns;
}

}  // namespace djfast
