#include "cpp/text/grams.hpp"

#include <cstring>
#include <limits>
#include <vector>

#include "cpp/text/groups.hpp"

namespace djfast::text {
namespace {

std::uint64_t load_word(const unsigned char* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, 8);
  return word;
}

/// The n-grams of a sequence as items of group_equal: each is `bytes` bytes of the sequence.
class GramBytes {
 public:
  GramBytes(const unsigned char* codes, std::size_t stride, std::size_t bytes)
      : codes_(codes), stride_(stride), bytes_(bytes) {}

  bool less(std::size_t a, std::size_t b) const noexcept {
    const int order = std::memcmp(at(a), at(b), bytes_);
    return order != 0 ? order < 0 : a < b;
  }

 protected:
  const unsigned char* at(std::size_t gram) const noexcept { return codes_ + gram * stride_; }

  const unsigned char* codes_;
  std::size_t stride_;
  std::size_t bytes_;
};

/// N-grams that `words` loads of 8 bytes cover, at most four. The last load ends where the n-gram does; a single one
/// may go beyond, and is masked.
template <class Code, int words>
class ShortGrams : public GramBytes {
 public:
  ShortGrams(const Code* codes, std::size_t n)
      : GramBytes(reinterpret_cast<const unsigned char*>(codes), sizeof(Code), n * sizeof(Code)),
        mask_(bytes_ >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes_)) - 1),
        last_(words == 1 ? 0 : bytes_ - 8) {}

  void begin_round(unsigned round) noexcept {
    for (int i = 0; i < words; ++i) multipliers_[i] = round_multiplier(round, static_cast<std::uint64_t>(i));
  }

  std::uint64_t hash(std::size_t gram) const noexcept {
    const unsigned char* start = codes_ + gram * sizeof(Code);
    std::uint64_t sum = last_word(start) * multipliers_[words - 1];
    for (int i = 0; i < words - 1; ++i) sum += load_word(start + 8 * i) * multipliers_[i];
    return sum;
  }

  bool equal(std::size_t a, std::size_t b) const noexcept {
    const unsigned char* first = codes_ + a * sizeof(Code);
    const unsigned char* second = codes_ + b * sizeof(Code);
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
class LongGrams : public GramBytes {
 public:
  template <class Code>
  LongGrams(const Code* codes, std::size_t n)
      : GramBytes(reinterpret_cast<const unsigned char*>(codes), sizeof(Code), n * sizeof(Code)) {}

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

template <class Index, class Grams>
GramCounts count_items(std::size_t grams, Grams items) {
  thread_local GroupScratch<Index> scratch;
  thread_local std::vector<Index> further;  // how often a leader occurs again; all zero between calls
  thread_local std::vector<std::uint32_t> repeated;
  thread_local std::vector<Index> joined;  // leaders, once per n-gram that joined one
  if (further.size() < grams) further.resize(grams);
  if (joined.size() <= grams) {
    joined.resize(grams + 1);
    repeated.resize(grams + 1);
  }
  std::size_t joins = 0;
  const std::size_t distinct =
      group_equal<Index>(grams, items, scratch, [&, of = further.data()](Index, Index leader, Index equal) {
        of[leader] = static_cast<Index>(of[leader] + equal);
        joined[joins] = leader;
        joins += equal;
      });
  std::size_t several = 0;
  for (std::size_t join = 0; join < joins; ++join) {
    Index& count = further[joined[join]];
    repeated[several] = std::uint32_t{count} + 1;
    several += count != 0 ? 1 : 0;
    count = 0;
  }
  return {grams, distinct, distinct - several, {repeated.data(), several}};
}

template <class Grams, class Code>
GramCounts count_sized(const Code* codes, std::size_t grams, std::size_t n) {
  // Short indices keep the tables of an ordinary document in the first cache.
  if (grams < std::numeric_limits<std::uint16_t>::max()) return count_items<std::uint16_t>(grams, Grams{codes, n});
  return count_items<std::uint32_t>(grams, Grams{codes, n});
}

template <class Code>
GramCounts count_codes(const Code* codes, std::size_t length, std::size_t n) {
  if (length < n) return {};
  const std::size_t grams = length - n + 1;
  switch ((n * sizeof(Code) + 7) / 8) {
    case 1: return count_sized<ShortGrams<Code, 1>>(codes, grams, n);
    case 2: return count_sized<ShortGrams<Code, 2>>(codes, grams, n);
    case 3: return count_sized<ShortGrams<Code, 3>>(codes, grams, n);
    case 4: return count_sized<ShortGrams<Code, 4>>(codes, grams, n);
    default: return count_sized<LongGrams>(codes, grams, n);
  }
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

}  // namespace djfast::text
