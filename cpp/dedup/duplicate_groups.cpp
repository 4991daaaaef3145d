// Groups of rows with equal keys: digests and bands.
#include "djfast/duplicate_groups.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "cpp/dedup/disjoint_sets.hpp"
#include "cpp/dedup/equal_keys.hpp"
#include "djfast/errors.hpp"
#include "djfast/links.hpp"

namespace djfast {
namespace {

struct Digest {
  std::uint64_t first;
  std::uint64_t second;
  bool operator==(const Digest&) const = default;
};

std::uint64_t place_of(const Digest& digest) noexcept { return kernels::place_of(digest.first, digest.second); }

std::vector<std::uint8_t> all_alive(const RowKeys& keys, RowMask alive) {
  keys.check(alive);
  if (alive.data() == nullptr) return std::vector<std::uint8_t>(keys.rows(), 1);
  std::vector<std::uint8_t> kept(alive.size());
  for (std::size_t row = 0; row < kept.size(); ++row) kept[row] = alive[row] != 0 ? 1 : 0;
  return kept;
}

template <class Key, class KeyOf>
Links links_of(std::size_t count, KeyOf key_of) {
  const Pulse pulse;
  EqualKeys<Key> equal(pulse);
  equal.rows().reserve(count);
  for (std::size_t i = 0; i < count; ++i) equal.rows().push_back({key_of(i), static_cast<std::uint32_t>(i)});
  // Places differ from run to run; what is told does not.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
  equal.for_each_repeat([&](std::uint32_t first, std::uint32_t other) { found.emplace_back(other, first); });
  std::ranges::sort(found);
  Links links;
  for (const auto& [other, first] : found) {
    links.first.push_back(first);
    links.other.push_back(other);
  }
  return links;
}

}  // namespace

Links links_of_equal(std::span<const std::uint64_t> words, std::size_t width) {
  if (width != 1 && width != 2) throw UserError("width must be 1 or 2, got " + std::to_string(width));
  const std::size_t count = words.size() / width;
  if (count > UINT32_MAX) throw UserError("at most 2^32 - 1 keys can be linked, got " + std::to_string(count));
  if (width == 1) return links_of<std::uint64_t>(count, [&](std::size_t i) { return words[i]; });
  return links_of<Digest>(count, [&](std::size_t i) { return Digest{words[2 * i], words[2 * i + 1]}; });
}

std::vector<std::uint8_t> DigestGroups::resolve(RowMask alive, Pulse pulse) const {
  auto kept = all_alive(keys_, alive);
  EqualKeys<Digest> equal(pulse);
  auto first = keys_.column(0);
  auto second = keys_.column(1);
  equal.for_each_repeat(
      kept.size(), keys_.rounds(equal.row_bytes), [&](std::size_t row) { return kept[row] != 0 && keys_.has(row); },
      [&](std::size_t row) {
        return Digest{first(row), second(row)};
      },
      [&](std::uint32_t, std::uint32_t row) { kept[row] = 0; });
  return kept;
}

BandGroups::BandGroups(std::size_t bands, bool by_number) : bands_(bands), keys_(bands + (by_number ? 1 : 0)) {
  if (bands == 0) throw UserError("bands must be >= 1, got 0");
}

std::vector<std::uint8_t> BandGroups::resolve(RowMask alive, Pulse pulse) const {
  auto kept = all_alive(keys_, alive);
  DisjointSets sets(kept.size());
  EqualKeys<std::uint64_t> equal(pulse);
  for (std::size_t band = 0; band < bands_; ++band) {
    pulse.at(static_cast<double>(band) / static_cast<double>(bands_));
    equal.for_each_repeat(
        kept.size(), keys_.rounds(equal.row_bytes), [&](std::size_t row) { return kept[row] != 0 && keys_.has(row); },
        keys_.column(band), [&](std::uint32_t first, std::uint32_t row) { sets.unite(first, row); });
  }
  const bool by_number = keys_.width() > bands_;
  std::vector<std::uint32_t> best;  // of a root: the row that stays
  if (by_number) {
    std::vector<std::uint64_t> numbers(kept.size());
    auto number = keys_.column(bands_);
    for (std::size_t row = 0; row < kept.size(); ++row) numbers[row] = number(row);
    best.resize(kept.size());
    for (std::uint32_t row = 0; row < kept.size(); ++row) best[row] = row;
    for (std::uint32_t row = 0; row < kept.size(); ++row) {
      if (kept[row] == 0 || !keys_.has(row)) continue;
      auto& held = best[sets.root(row)];
      if (numbers[row] < numbers[held]) held = row;
    }
  }
  for (std::uint32_t row = 0; row < kept.size(); ++row) {
    const auto root = sets.root(row);
    if ((by_number ? best[root] : root) != row) kept[row] = 0;
  }
  return kept;
}

}  // namespace djfast
