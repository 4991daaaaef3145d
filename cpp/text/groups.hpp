// Finds the equal ones among many items by hashing, exactly, and in linear time for any input.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "djfast/scratch.hpp"
#include "kernels/text/slots.hpp"

namespace djfast::text {

/// Memory that `group_equal` uses again from call to call.
template <class Index>
struct GroupScratch {
  Scratch<std::uint32_t> slots;
  Scratch<Index> table;
  Scratch<Index> losers;
  Scratch<Index> followers;
  Scratch<Index> leaders;
};

/// Multiplier `number` of round `round`: odd, and as good as random.
inline std::uint64_t round_multiplier(std::uint64_t round, std::uint64_t number) noexcept {
  std::uint64_t bits = (round << 32 | number) * 0x9E3779B97F4A7C15 + 0xBF58476D1CE4E5B9;
  bits = (bits ^ bits >> 31) * 0x94D049BB133111EB;
  return (bits ^ bits >> 29) | 1;
}

/// Gathers equal items around a leader, one of them, and returns how many leaders there are. For every item of
/// [0, count) that is no leader, `join(item, leader, 1)` is called once; before it there may be calls
/// `join(item, other, 0)`, which come for some leaders too. `count` is at most what an Index holds.
///
/// `Items` answers `place(count, bits, slots)`, which writes a slot below 2^bits for each item, `begin_round(round)` and
/// `hash(i)` (64 bits, the upper ones used; another function each round), `equal(i, j)` and `less(i, j)`.
///
/// The first item of a slot leads it; those equal to it join, and the others, the losers, go to the next round with
/// another hash. Nothing here branches on the data: a mispredicted branch costs more than the work on an item. After
/// some rounds, or when few are left, sorting settles the rest, so that not even items made to collide cost more than
/// sorting them.
template <class Index, class Items, class Join>
std::size_t group_equal(std::size_t count, Items& items, GroupScratch<Index>& scratch, Join join) {
  constexpr std::size_t few = 16;
  constexpr unsigned rounds = 8;
  const auto& kernels = kernels::text::slots().by<Index>();
  const auto slot_bits = [](std::size_t players) { return static_cast<unsigned>(std::bit_width(players)) + 1; };
  const std::size_t room = count + kernels::text::slot_margin;
  std::uint32_t* const slots = scratch.slots.with_room(room);
  Index* const losers = scratch.losers.with_room(room);
  Index* const followers = scratch.followers.with_room(room);
  Index* const leaders = scratch.leaders.with_room(room);
  Index* const table = scratch.table.with_room((std::size_t{1} << slot_bits(count)) + kernels::text::slot_margin);
  std::size_t groups = 0;
  std::size_t lost = 0;

  const auto follow = [&](std::size_t players) {
    return kernels.follow(slots, players, table, followers, leaders);
  };
  // The followers that are equal to their leader join it, the others become losers.
  const auto settle = [&](std::size_t players, std::size_t following) {
    groups += players - following;
    lost = 0;
    for (std::size_t turn = 0; turn < following; ++turn) {
      const Index item = followers[turn];
      const Index leader = leaders[turn];
      const bool equal = items.equal(item, leader);
      join(item, leader, static_cast<Index>(equal));
      losers[lost] = item;
      lost += equal ? 0 : 1;
    }
  };

  if (count == 0) return 0;
  items.place(count, slot_bits(count), slots);
  settle(count, follow(count));
  for (unsigned round = 1; round < rounds && lost > few; ++round) {
    items.begin_round(round);
    const unsigned bits = slot_bits(lost);
    for (std::size_t turn = 0; turn < lost; ++turn) {
      slots[turn] = static_cast<std::uint32_t>(items.hash(losers[turn]) >> (64 - bits));
    }
    const std::size_t following = follow(lost);
    for (std::size_t turn = 0; turn < following; ++turn) {
      followers[turn] = losers[followers[turn]];
      leaders[turn] = losers[leaders[turn]];
    }
    settle(lost, following);
  }
  std::sort(losers, losers + lost, [&](Index a, Index b) { return items.less(a, b); });
  for (std::size_t place = 0; place < lost; ++groups) {
    const Index leader = losers[place];
    for (++place; place < lost && items.equal(losers[place], leader); ++place) {
      join(losers[place], leader, Index{1});
    }
  }
  return groups;
}

}  // namespace djfast::text
