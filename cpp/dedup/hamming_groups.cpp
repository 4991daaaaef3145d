// Connected components of 64-bit hashes under a bound on the number of differing bits.
//
// Cut the bits into B blocks: hashes that differ in at most d bits agree on at least B - d whole blocks (pigeonhole).
// So for every choice of B - d blocks, hashes are bucketed by the bits of those blocks, and only those in one bucket
// compared. Few blocks mean few choices but large buckets; a cost model picks B. Buckets that are large all the same,
// because hashes are not uniform, are searched in the same way on the bits that are left.
//
// G. S. Manku, A. Jain, A. Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007.
#include <algorithm>
#include <bit>
#include <string>

#include "cpp/dedup/disjoint_sets.hpp"
#include "cpp/dedup/equal_keys.hpp"
#include "djfast/duplicate_groups.hpp"
#include "djfast/errors.hpp"
#include "djfast/links.hpp"
#include "kernels/hash/hamming.hpp"

namespace djfast {
namespace {

struct Point {
  std::uint64_t hash;
  std::uint32_t member;
  std::uint32_t bucket;
};

class NeighbourSearch {
 public:
  /// Sets and pulse must outlive this.
  NeighbourSearch(int distance, DisjointSets& sets, Pulse& pulse) : distance_(distance), sets_(sets), pulse_(pulse) {}

  void run(std::span<Point> points) { search(points, ~std::uint64_t{0}, 0); }
  /// Finds the pairs that agree on the bits of `mask`, and perhaps others.
  void run(std::span<Point> points, std::uint64_t mask) { search_buckets(points, mask, ~std::uint64_t{0}, 0); }

 private:
  static constexpr std::size_t few_points = 32;
  static constexpr double bucketing_cost = 20;  // of one point, in comparisons of a pair
  static constexpr std::size_t deepest = 6;

  void search(std::span<Point> points, std::uint64_t free_bits, std::size_t depth) {
    if (points.size() < 2) return;
    if (points.size() <= few_points) return compare_all(points);
    pulse_.beat();
    const int blocks = depth < deepest ? best_block_count(points.size(), std::popcount(free_bits)) : 0;
    if (blocks == 0) {
      link_clusters(points, ~std::size_t{0});
      return;
    }
    // A large bucket is often one cluster, which comparing finds at once; only otherwise is it worth cutting up.
    if (depth > 0 && link_clusters(points, 64 * points.size())) return;
    const auto masks = block_masks(free_bits, blocks);
    std::vector<int> chosen(static_cast<std::size_t>(blocks - distance_));
    for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = static_cast<int>(i);
    const double choices = choices_of(blocks);
    double done = 0;
    do {
      if (depth == 0) pulse_.at(done++ / choices);
      std::uint64_t mask = 0;
      for (const int block : chosen) mask |= masks[static_cast<std::size_t>(block)];
      search_buckets(points, mask, free_bits, depth);
    } while (next_choice(chosen, blocks));
  }

  /// Searches every group of points that agree on `mask`. Bucket numbers are hashes of those bits: strangers may meet
  /// in a bucket, which costs comparisons and changes nothing.
  void search_buckets(std::span<Point> points, std::uint64_t mask, std::uint64_t free_bits, std::size_t depth) {
    const int bits = std::min(22, static_cast<int>(std::bit_width(points.size())));
    std::vector<std::uint32_t> starts((std::size_t{1} << bits) + 1, 0);
    for (auto& point : points) {
      point.bucket = static_cast<std::uint32_t>(place_of(point.hash & mask) >> (64 - bits));
      ++starts[point.bucket + 1];
    }
    for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
    std::vector<Point> sorted(points.size());
    for (const auto& point : points) sorted[starts[point.bucket]++] = point;  // start i has become the end of bucket i
    std::size_t start = 0;
    for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
      search({sorted.data() + start, starts[i] - start}, free_bits & ~mask, depth + 1);
      start = starts[i];
    }
  }

  void compare_all(std::span<const Point> points) {
    std::uint64_t hashes[few_points];
    for (std::size_t i = 0; i < points.size(); ++i) hashes[i] = points[i].hash;
    for (std::size_t i = 1; i < points.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        j += kernels::find_within(hashes[i], {hashes + j, i - j}, distance_);
        if (j < i) sets_.unite(points[i].member, points[j].member);
      }
    }
  }

  /// Grows clusters point by point; a point that has met a member of a cluster need not be compared with its others.
  /// Gives up (false) after about `budget` comparisons.
  bool link_clusters(std::span<const Point> points, std::size_t budget) {
    struct Cluster {
      std::vector<std::uint64_t> hashes;
      std::uint32_t member;
    };
    std::vector<Cluster> clusters;
    std::size_t compared = 0;
    for (const auto& point : points) {
      if (clusters.size() >= few_points) pulse_.beat();
      std::size_t home = clusters.size();
      for (std::size_t i = 0; i < clusters.size(); ++i) {
        const std::size_t found = kernels::find_within(point.hash, clusters[i].hashes, distance_);
        compared += found + 1;
        if (found == clusters[i].hashes.size()) continue;
        sets_.unite(point.member, clusters[i].member);
        if (home == clusters.size()) {
          home = i;
          continue;
        }
        // The point joins two clusters: the later one moves into its home.
        auto& hashes = clusters[home].hashes;
        hashes.insert(hashes.end(), clusters[i].hashes.begin(), clusters[i].hashes.end());
        if (i + 1 < clusters.size()) clusters[i] = std::move(clusters.back());
        clusters.pop_back();
        --i;
      }
      if (home == clusters.size()) clusters.push_back({{}, point.member});
      clusters[home].hashes.push_back(point.hash);
      if (compared > budget) return false;
    }
    return true;
  }

  /// The number of blocks that makes searching `count` points cheapest; 0 when comparing all pairs is cheaper.
  int best_block_count(std::size_t count, int free_bits) const {
    const auto points = static_cast<double>(count);
    const double pairs = points * points / 2;
    double least = pairs;
    int best = 0;
    double choices = distance_ + 1;  // of the blocks to leave out: blocks over distance
    for (int blocks = distance_ + 1; blocks <= free_bits; ++blocks) {
      const int key_bits = free_bits * (blocks - distance_) / blocks;
      const double pairs_in_buckets = pairs / static_cast<double>(std::uint64_t{1} << std::min(key_bits, 63));
      const double cost = choices * (points * bucketing_cost + pairs_in_buckets);
      if (cost < least) {
        least = cost;
        best = blocks;
      }
      choices = choices * (blocks + 1) / (blocks + 1 - distance_);
    }
    return best;
  }

  /// In how many ways `distance` of the blocks can be left out.
  double choices_of(int blocks) const {
    double choices = 1;
    for (int i = 1; i <= distance_; ++i) choices = choices * (blocks - distance_ + i) / i;
    return choices;
  }

  /// `blocks` masks of about equally many of the free bits each, which together are all of them.
  static std::vector<std::uint64_t> block_masks(std::uint64_t free_bits, int blocks) {
    std::vector<std::uint64_t> masks(static_cast<std::size_t>(blocks), 0);
    const int count = std::popcount(free_bits);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t lowest = free_bits & -free_bits;
      masks[static_cast<std::size_t>(i * blocks / count)] |= lowest;
      free_bits ^= lowest;
    }
    return masks;
  }

  /// The next ascending choice among 0 .. blocks - 1; false after the last.
  static bool next_choice(std::vector<int>& chosen, int blocks) {
    const int size = static_cast<int>(chosen.size());
    for (int i = size - 1; i >= 0; --i) {
      auto& value = chosen[static_cast<std::size_t>(i)];
      if (value == blocks - size + i) continue;
      ++value;
      for (int j = i + 1; j < size; ++j) chosen[static_cast<std::size_t>(j)] = value + j - i;
      return true;
    }
    return false;
  }

  int distance_;
  DisjointSets& sets_;
  Pulse& pulse_;
};

}  // namespace

HammingGroups::HammingGroups(int distance) : keys_(1), distance_(distance) {
  if (distance < 0 || distance > 63) {
    throw UserError("distance must be between 0 and 63, got " + std::to_string(distance));
  }
}

Links links_within(std::span<const std::uint64_t> hashes, int distance, std::uint64_t mask) {
  if (distance < 0 || distance > 63) {
    throw UserError("distance must be between 0 and 63, got " + std::to_string(distance));
  }
  if (hashes.size() > UINT32_MAX) {
    throw UserError("at most 2^32 - 1 hashes can be linked, got " + std::to_string(hashes.size()));
  }
  std::vector<Point> points;
  points.reserve(hashes.size());
  for (std::size_t i = 0; i < hashes.size(); ++i) points.push_back({hashes[i], static_cast<std::uint32_t>(i), 0});
  DisjointSets sets(points.size());
  Pulse pulse;
  if (!points.empty()) NeighbourSearch(distance, sets, pulse).run(points, mask);
  Links links;
  for (std::uint32_t i = 0; i < points.size(); ++i) {
    if (sets.is_root(i)) continue;
    links.first.push_back(sets.root(i));
    links.other.push_back(i);
  }
  return links;
}

std::vector<std::uint8_t> HammingGroups::resolve(RowMask alive, Pulse pulse) const {
  keys_.check(alive);
  std::vector<std::uint8_t> kept(keys_.rows(), 1);
  EqualKeys<std::uint64_t> equal(pulse);
  for (std::size_t row = 0; row < kept.size(); ++row) {
    if (alive.data() != nullptr && alive[row] == 0) kept[row] = 0;
  }
  auto hash = keys_.column(0);
  equal.for_each_repeat(
      kept.size(), keys_.rounds(equal.row_bytes), [&](std::size_t row) { return kept[row] != 0 && keys_.has(row); },
      [&](std::size_t row) { return hash(row); }, [&](std::uint32_t, std::uint32_t row) { kept[row] = 0; });
  if (distance_ == 0) return kept;
  // Distinct hashes, by their first rows in ascending order, so that the root of a set is its first row.
  std::vector<Point> points;
  std::vector<std::uint32_t> rows;
  for (std::size_t row = 0; row < kept.size(); ++row) {
    if (kept[row] == 0 || !keys_.has(row)) continue;
    points.push_back({hash(row), static_cast<std::uint32_t>(rows.size()), 0});
    rows.push_back(static_cast<std::uint32_t>(row));
  }
  DisjointSets sets(points.size());
  NeighbourSearch(distance_, sets, pulse).run(points);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!sets.is_root(static_cast<std::uint32_t>(i))) kept[rows[i]] = 0;
  }
  return kept;
}

}  // namespace djfast
