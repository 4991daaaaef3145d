#include "cpp/text/grams.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "cpp/text/groups.hpp"
#include "djfast/scratch.hpp"
#include "kernels/hash/placement.hpp"
#include "kernels/text/slots.hpp"

namespace djfast::text {
namespace {

/// More n-grams than these are counted share by share.
constexpr std::size_t many_grams = 1 << 18;

std::uint64_t load_word(const unsigned char* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, 8);
  return word;
}

/// The n-grams of a sequence as items of group_equal: each is `bytes` bytes of the sequence.
template <class Code>
class GramBytes {
 public:
  GramBytes(const Code* codes, std::size_t n)
      : codes_(reinterpret_cast<const unsigned char*>(codes)), n_(n), bytes_(n * sizeof(Code)) {}

  void place(std::size_t count, unsigned bits, std::uint32_t* slots) const {
    thread_local Scratch<std::uint32_t> room;
    const std::size_t entries = std::max(kernels::text::gram_block, n_) + n_;
    if (room.size() < entries) room.resize(entries);
    kernels::text::slots().on_codes<Code>().place(reinterpret_cast<const Code*>(codes_), count, n_, bits, room.data(),
                                                  slots);
  }
  bool less(std::size_t a, std::size_t b) const noexcept {
    const int order = std::memcmp(at(a), at(b), bytes_);
    return order != 0 ? order < 0 : a < b;
  }

 protected:
  const unsigned char* at(std::size_t gram) const noexcept { return codes_ + gram * sizeof(Code); }

  const unsigned char* codes_;
  std::size_t n_;
  std::size_t bytes_;
};

/// N-grams that `words` loads of 8 bytes cover, at most four. The last load ends where the n-gram does; a single one
/// may go beyond, and is masked.
template <class Code, int words>
class ShortGrams : public GramBytes<Code> {
 public:
  using GramBytes<Code>::bytes_;
  using GramBytes<Code>::at;

  ShortGrams(const Code* codes, std::size_t n)
      : GramBytes<Code>(codes, n),
        mask_(bytes_ >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes_)) - 1),
        last_(words == 1 ? 0 : bytes_ - 8) {}

  void begin_round(unsigned round) noexcept {
    for (int i = 0; i < words; ++i) multipliers_[i] = round_multiplier(round, static_cast<std::uint64_t>(i));
  }

  std::uint64_t hash(std::size_t gram) const noexcept {
    const unsigned char* start = at(gram);
    std::uint64_t sum = last_word(start) * multipliers_[words - 1];
    for (int i = 0; i < words - 1; ++i) sum += load_word(start + 8 * i) * multipliers_[i];
    return sum;
  }

  bool equal(std::size_t a, std::size_t b) const noexcept {
    const unsigned char* first = at(a);
    const unsigned char* second = at(b);
    std::uint64_t difference = last_word(first) ^ last_word(second);
    for (int i = 0; i < words - 1; ++i) difference |= load_word(first + 8 * i) ^ load_word(second + 8 * i);
    return difference == 0;
  }

 private:
  std::uint64_t last_word(const unsigned char* start) const noexcept {
    if constexpr (words == 1) return load_word(start) & mask_;
    return load_word(start + last_);
  }

  std::uint64_t mask_;
  std::size_t last_;
  std::uint64_t multipliers_[words] = {};
};

/// N-grams of any size.
template <class Code>
class LongGrams : public GramBytes<Code> {
 public:
  using GramBytes<Code>::bytes_;
  using GramBytes<Code>::at;
  using GramBytes<Code>::GramBytes;

  void begin_round(unsigned round) noexcept { multiplier_ = round_multiplier(round, 0); }

  std::uint64_t hash(std::size_t gram) const noexcept {
    const unsigned char* start = at(gram);
    std::uint64_t hash = 0;
    std::size_t place = 0;
    for (; place + 8 < bytes_; place += 8) {
      hash = (hash ^ load_word(start + place)) * multiplier_;
      hash ^= hash >> 29;
    }
    hash = (hash ^ load_word(start + bytes_ - 8)) * multiplier_;
    return (hash ^ hash >> 32) * multiplier_;
  }

  bool equal(std::size_t a, std::size_t b) const noexcept { return std::memcmp(at(a), at(b), bytes_) == 0; }

 private:
  std::uint64_t multiplier_ = 1;
};

/// Some of the n-grams of a sequence, those at `starts`.
template <class Grams>
class ChosenGrams {
 public:
  ChosenGrams(Grams grams, const std::uint32_t* starts) : grams_(grams), starts_(starts) {}

  void place(std::size_t count, unsigned bits, std::uint32_t* slots) {
    begin_round(0);
    for (std::size_t gram = 0; gram < count; ++gram) slots[gram] = static_cast<std::uint32_t>(hash(gram) >> (64 - bits));
  }
  void begin_round(unsigned round) noexcept { grams_.begin_round(round); }
  std::uint64_t hash(std::size_t gram) const noexcept { return grams_.hash(starts_[gram]); }
  bool equal(std::size_t a, std::size_t b) const noexcept { return grams_.equal(starts_[a], starts_[b]); }
  bool less(std::size_t a, std::size_t b) const noexcept { return grams_.less(starts_[a], starts_[b]); }

 private:
  Grams grams_;
  const std::uint32_t* starts_;
};

/// Distinct n-grams, and those of them that occur more than once.
struct Distinct {
  std::size_t all = 0;
  std::size_t repeated = 0;
};

/// Counts n-grams, and calls `take` with how often those occur that occur more than once.
template <class Index, class Grams, class Take>
Distinct count_indexed(std::size_t grams, Grams items, Take take) {
  thread_local GroupScratch<Index> scratch;
  thread_local Scratch<Index> further;  // how often a leader occurs again
  thread_local Scratch<std::uint32_t> room;
  further.with_room(grams);
  std::uint32_t* const repeated = room.with_room(grams + kernels::text::slot_margin);
  std::fill_n(further.begin(), grams, Index{0});
  const std::size_t distinct = group_equal<Index>(
      grams, items, scratch,
      [of = further.data()](Index, Index leader, Index equal) { of[leader] = static_cast<Index>(of[leader] + equal); });
  const std::size_t several = kernels::text::slots().by<Index>().list(further.data(), grams, repeated);
  for (std::size_t i = 0; i < several; ++i) ++repeated[i];
  take(std::span<const std::uint32_t>{repeated, several});
  return {distinct, several};
}

template <class Grams, class Take>
Distinct count_few(std::size_t grams, Grams items, Take take) {
  // Short indices keep the tables of an ordinary document in the first cache.
  if (grams < std::numeric_limits<std::uint16_t>::max()) return count_indexed<std::uint16_t>(grams, items, take);
  return count_indexed<std::uint32_t>(grams, items, take);
}

/// Counts n-grams among which few are distinct, in a table of these.
template <class Grams>
class GramTable {
 public:
  explicit GramTable(const Grams& items) : items_(items), entries_(64) {}

  void add(std::uint32_t gram) {
    if (2 * distinct_ > entries_.size()) grow();
    Entry& entry = find(gram);
    if (entry.count == 0) {
      entry.first = gram;
      ++distinct_;
    }
    ++entry.count;
  }

  std::size_t distinct() const noexcept { return distinct_; }
  template <class Visit>
  void visit_repeated(Visit visit) const {
    for (const Entry& entry : entries_) {
      if (entry.count > 1) visit(entry.count);
    }
  }

 private:
  struct Entry {
    std::uint32_t first;
    std::uint32_t count;  // 0 is a free place
  };

  Entry& find(std::uint32_t gram) {
    std::size_t at = kernels::place_of(items_.hash(gram)) & (entries_.size() - 1);
    while (entries_[at].count != 0 && !items_.equal(entries_[at].first, gram)) at = (at + 1) & (entries_.size() - 1);
    return entries_[at];
  }
  void grow() {
    const auto entries = std::move(entries_);
    entries_.assign(2 * entries.size(), Entry{0, 0});
    for (const Entry& entry : entries) {
      if (entry.count != 0) find(entry.first) = entry;
    }
  }

  const Grams& items_;
  std::vector<Entry> entries_;
  std::size_t distinct_ = 0;
};

/// Counts the n-grams of a long text share by share, which are those with the same bits of a hash. Some shares at a time are
/// put in order: what counting takes is then small beside the text. Hashes are seeded, so a share that is large all the same
/// has few distinct n-grams.
template <class Grams, class Take>
Distinct count_in_shares(std::size_t grams, Grams items, Take take) {
  constexpr std::size_t share_grams = 1 << 15;
  constexpr int most_bits = 9;  // of a hash: writing to more places at a time is slow
  constexpr std::size_t passes = 3;  // over the text: more of them take less memory, and more time
  thread_local Scratch<std::uint32_t> room;
  const int bits = std::min(most_bits, static_cast<int>(std::bit_width(grams / share_grams)));
  const std::size_t shares = std::size_t{1} << bits;
  items.begin_round(static_cast<unsigned>(kernels::placement_seeds[0]));
  const auto share_of = [&](std::size_t gram) { return static_cast<std::size_t>(items.hash(gram) >> (64 - bits)); };
  std::vector<std::size_t> sizes(shares, 0);
  for (std::size_t gram = 0; gram < grams; ++gram) ++sizes[share_of(gram)];
  const std::size_t most_at_a_time = std::max(many_grams, grams / passes);
  const auto count_share = [&](std::span<const std::uint32_t> own) -> Distinct {
    if (own.size() <= 4 * (grams >> bits)) return count_few(own.size(), ChosenGrams{items, own.data()}, take);
    GramTable<Grams> table(items);
    for (const std::uint32_t gram : own) table.add(gram);
    std::size_t several = 0;
    table.visit_repeated([&](std::uint32_t count) {
      take(std::span<const std::uint32_t>{&count, 1});
      ++several;
    });
    return {table.distinct(), several};
  };
  Distinct distinct;
  for (std::size_t first = 0, end = 0; first < shares; first = end) {
    std::size_t size = 0;
    while (end < shares && (end == first || size + sizes[end] <= most_at_a_time)) size += sizes[end++];
    std::uint32_t* const ordered = room.with_room(size + 1);  // one more for those of other shares
    std::vector<std::uint32_t*> places(end - first + 1, ordered);
    for (std::size_t share = first; share < end; ++share) places[share - first + 1] = places[share - first] + sizes[share];
    places.back() = ordered + size;
    for (std::size_t gram = 0; gram < grams; ++gram) {
      // Without a branch: whether an n-gram is of these shares is hard to predict.
      const std::size_t share = std::min(share_of(gram) - first, end - first);
      *places[share] = static_cast<std::uint32_t>(gram);
      places[share] += share < end - first ? 1 : 0;
    }
    const std::uint32_t* begin = ordered;
    for (std::size_t share = first; share < end; begin += sizes[share++]) {
      const Distinct own = count_share({begin, sizes[share]});
      distinct.all += own.all;
      distinct.repeated += own.repeated;
    }
  }
  return distinct;
}

template <class Grams, class Take>
Distinct count_items(std::size_t grams, Grams items, Take take) {
  return grams > many_grams ? count_in_shares(grams, items, take) : count_few(grams, items, take);
}

/// Calls `use` with the n-grams of some codes, as the fastest class for their size.
template <class Code, class Use>
auto with_grams(const Code* codes, std::size_t n, Use use) {
  switch ((n * sizeof(Code) + 7) / 8) {
    case 1: return use(ShortGrams<Code, 1>{codes, n});
    case 2: return use(ShortGrams<Code, 2>{codes, n});
    case 3: return use(ShortGrams<Code, 3>{codes, n});
    case 4: return use(ShortGrams<Code, 4>{codes, n});
    default: return use(LongGrams<Code>{codes, n});
  }
}

template <class Code>
GramCounts count_codes(const Code* codes, std::size_t length, std::size_t n) {
  if (length < n) return {};
  thread_local Occurrences repeated;
  repeated.clear();
  const std::size_t grams = length - n + 1;
  const Distinct distinct = with_grams(codes, n, [&, to = &repeated](auto items) {
    return count_items(grams, items, [to](std::span<const std::uint32_t> counts) { to->add(counts); });
  });
  return {grams, distinct.all, distinct.all - distinct.repeated, &repeated};
}

}  // namespace

std::uint64_t Occurrences::sum_of_largest(std::size_t most) {
  std::size_t left = std::min(most, large_.size());
  const auto end = large_.begin() + static_cast<std::ptrdiff_t>(left);
  if (left < large_.size()) std::ranges::nth_element(large_, end, std::greater{});
  std::uint64_t sum = std::accumulate(large_.begin(), end, std::uint64_t{0});
  left = most - left;
  for (std::uint32_t count = small - 1; count > 1 && left > 0; --count) {
    const std::size_t taken = std::min(left, small_[count]);
    sum += taken * count;
    left -= taken;
  }
  return sum;
}

GramCounts count_grams(const std::uint8_t* codes, std::size_t length, std::size_t n) {
  return count_codes(codes, length, n);
}

GramCounts count_grams(const std::uint16_t* codes, std::size_t length, std::size_t n) {
  return count_codes(codes, length, n);
}

GramCounts count_grams(const std::uint32_t* codes, std::size_t length, std::size_t n) {
  return count_codes(codes, length, n);
}

std::size_t count_single_grams(const std::uint32_t* codes, std::span<const std::uint32_t> starts, std::size_t n) {
  return with_grams(codes, n, [starts](auto items) {
    const auto distinct = count_items(starts.size(), ChosenGrams{items, starts.data()}, [](auto) {});
    return distinct.all - distinct.repeated;
  });
}

}  // namespace djfast::text
