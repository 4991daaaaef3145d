#include "cpp/text/grams.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
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

template <class Index, class Grams>
GramCounts count_indexed(std::size_t grams, Grams items) {
  thread_local GroupScratch<Index> scratch;
  thread_local Scratch<Index> further;  // how often a leader occurs again
  thread_local Scratch<std::uint32_t> repeated;
  further.with_room(grams);
  repeated.with_room(grams + kernels::text::slot_margin);
  std::fill_n(further.begin(), grams, Index{0});
  const std::size_t distinct = group_equal<Index>(
      grams, items, scratch,
      [of = further.data()](Index, Index leader, Index equal) { of[leader] = static_cast<Index>(of[leader] + equal); });
  const std::size_t several = kernels::text::slots().by<Index>().list(further.data(), grams, repeated.data());
  for (std::size_t i = 0; i < several; ++i) ++repeated[i];
  return {grams, distinct, distinct - several, {repeated.data(), several}};
}

template <class Grams>
GramCounts count_few(std::size_t grams, Grams items) {
  // Short indices keep the tables of an ordinary document in the first cache.
  if (grams < std::numeric_limits<std::uint16_t>::max()) return count_indexed<std::uint16_t>(grams, items);
  return count_indexed<std::uint32_t>(grams, items);
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

/// Counts the n-grams of a long text share by share, after they have been ordered by some bits of a hash: what counting
/// takes is then small beside the text. Hashes are seeded, so a share that is large all the same has few distinct n-grams.
template <class Grams>
GramCounts count_in_shares(std::size_t grams, Grams items) {
  constexpr std::size_t share_grams = 1 << 15;
  constexpr int most_bits = 9;  // of a hash: writing to more places at a time is slow
  thread_local Scratch<std::uint32_t> ordered;
  thread_local Scratch<std::uint32_t> repeated;
  const int bits = std::min(most_bits, static_cast<int>(std::bit_width(grams / share_grams)));
  items.begin_round(static_cast<unsigned>(kernels::placement_seeds[0]));
  std::vector<std::size_t> ends((std::size_t{1} << bits) + 1, 0);
  for (std::size_t gram = 0; gram < grams; ++gram) ++ends[(items.hash(gram) >> (64 - bits)) + 1];
  for (std::size_t share = 1; share < ends.size(); ++share) ends[share] += ends[share - 1];
  ordered.resize(std::max(ordered.size(), grams));
  for (std::size_t gram = 0; gram < grams; ++gram) {
    ordered[ends[items.hash(gram) >> (64 - bits)]++] = static_cast<std::uint32_t>(gram);
  }
  repeated.clear();
  GramCounts counts{.grams = grams, .repeated = {}};
  for (std::size_t share = 0, begin = 0; share + 1 < ends.size(); begin = ends[share++]) {
    const std::span<const std::uint32_t> own{ordered.data() + begin, ends[share] - begin};
    if (own.size() > 4 * (grams >> bits)) {
      GramTable<Grams> table(items);
      for (const std::uint32_t gram : own) table.add(gram);
      table.visit_repeated([&](std::uint32_t count) { repeated.push_back(count); });
      counts.distinct += table.distinct();
    } else {
      const GramCounts few = count_few(own.size(), ChosenGrams{items, own.data()});
      repeated.insert(repeated.end(), few.repeated.begin(), few.repeated.end());
      counts.distinct += few.distinct;
    }
  }
  counts.single = counts.distinct - repeated.size();
  counts.repeated = repeated;
  return counts;
}

template <class Grams>
GramCounts count_items(std::size_t grams, Grams items) {
  return grams > many_grams ? count_in_shares(grams, items) : count_few(grams, items);
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
  return with_grams(codes, n, [grams = length - n + 1](auto items) { return count_items(grams, items); });
}

}  // namespace

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
    return count_items(starts.size(), ChosenGrams{items, starts.data()}).single;
  });
}

}  // namespace djfast::text
