// Union-find whose roots are the smallest members, so that a set's root is its first row.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

namespace djfast {

class DisjointSets {
 public:
  explicit DisjointSets(std::size_t members) : parents_(members) { std::iota(parents_.begin(), parents_.end(), 0U); }

  std::uint32_t root(std::uint32_t member) noexcept {
    while (parents_[member] != member) {
      parents_[member] = parents_[parents_[member]];  // halves the path
      member = parents_[member];
    }
    return member;
  }

  void unite(std::uint32_t a, std::uint32_t b) noexcept {
    const std::uint32_t root_a = root(a);
    const std::uint32_t root_b = root(b);
    if (root_a < root_b) {
      parents_[root_b] = root_a;
    } else {
      parents_[root_a] = root_b;
    }
  }

  bool is_root(std::uint32_t member) const noexcept { return parents_[member] == member; }

 private:
  std::vector<std::uint32_t> parents_;
};

}  // namespace djfast
