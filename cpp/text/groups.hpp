// Finds the equal ones among many items by hashing, exactly, and in linear time for any input.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace djfast::text {

/// Memory that `group_equal` uses again from call to call.
template <class Index>
struct GroupScratch {
  std::vector<Index> slots;
  std::vector<Index> followers;
  std::vector<Index> leaders;
};

/// Multiplier `number` of round `round`: odd, and as good as random.
inline std::uint64_t round_multiplier(std::uint64_t round, std::uint64_t number) noexcept {
  std::uint64_t bits = (round << 32 | number) * 0x9E3779B97F4A7C15 + 0xBF58476D1CE4E5B9;
  bits = (bits ^ bits >> 31) * 0x94D049BB133111EB;
  return (bits ^ bits >> 29) | 1;
}

/// Gathers equal items around a leader, one of them, and returns how many leaders there are. For every item of
/// [0, count) that is no leader, `join(item, leader, 1)` is called once; before it there may be calls
/// `join(item, other, 0)`, which come for some leaders too.
///
/// `Items` answers `begin_round(round)`, `hash(i)` (64 bits, the upper ones used; another function each round),
/// `equal(i, j)` and `less(i, j)`.
///
/// The first item that comes to a slot of the hash table leads it; those equal to it join, and the others, the losers,
/// go to the next round with another hash. Nothing here branches on the data: a mispredicted branch costs more than
/// the work on an item. After some rounds, or when few are left, sorting settles the rest, so that not even items made
/// to collide cost more than sorting them.
template <class Index, class Items, class Join>
std::size_t group_equal(std::size_t count, Items& items, GroupScratch<Index>& scratch, Join join) {
  constexpr Index empty = std::numeric_limits<Index>::max();  // so count must be at most this
  constexpr std::size_t few = 16;
  constexpr unsigned rounds = 8;
  if (scratch.followers.size() <= count) {
    scratch.followers.resize(count + 1);
    scratch.leaders.resize(count + 1);
  }
  Index* const followers = scratch.followers.data();
  Index* const leaders = scratch.leaders.data();
  std::size_t groups = 0;

  // Leaves the losers in `followers`, and returns their number.
  const auto play = [&](std::size_t players, auto player) {
    const int bits = std::bit_width(players) + 2;  // four to eight slots per item
    const std::size_t size = std::size_t{1} << bits;
    if (scratch.slots.size() < size) scratch.slots.resize(size);
    Index* const slots = scratch.slots.data();
    std::fill_n(slots, size, empty);
    std::size_t following = 0;
    for (std::size_t turn = 0; turn < players; ++turn) {
      const Index item = player(turn);
      Index& slot = slots[items.hash(item) >> (64 - bits)];
      // The smaller of slot and item, since players come in ascending order. Compilers make a branch of std::min here.
      const std::int64_t ahead = static_cast<std::int64_t>(slot) - static_cast<std::int64_t>(item);
      const std::int64_t back = ahead & ahead >> 63;
      const auto leader = static_cast<Index>(item + back);
      slot = leader;
      followers[following] = item;
      leaders[following] = leader;
      following += back != 0 ? 1 : 0;
    }
    groups += players - following;
    std::size_t lost = 0;
    for (std::size_t turn = 0; turn < following; ++turn) {
      const Index item = followers[turn];
      const Index leader = leaders[turn];
      const bool equal = items.equal(item, leader);
      join(item, leader, static_cast<Index>(equal));
      followers[lost] = item;
      lost += equal ? 0 : 1;
    }
    return lost;
  };

  items.begin_round(0);
  std::size_t lost = play(count, [](std::size_t turn) { return static_cast<Index>(turn); });
  for (unsigned round = 1; round < rounds && lost > few; ++round) {
    items.begin_round(round);
    lost = play(lost, [followers](std::size_t turn) { return followers[turn]; });
  }
  std::sort(followers, followers + lost, [&](Index a, Index b) { return items.less(a, b); });
  for (std::size_t place = 0; place < lost; ++groups) {
    const Index leader = followers[place];
    for (++place; place < lost && items.equal(followers[place], leader); ++place) {
      join(followers[place], leader, Index{1});
    }
  }
  return groups;
}

}  // namespace djfast::text
