// Words in their frames, `<word>`, gathered for the n-gram kernel: it then works on whole vectors however short words are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/subwords.hpp"

namespace djfast::fasttext {

/// Frames one after the other, of which the last may be open: a word of any length comes in pieces.
class Frames {
 public:
  /// Empties the frames and makes room for so many code points, for n-grams of up to `longest`.
  void prepare(std::size_t capacity, std::size_t longest) {
    clear();  // something may be left where a prediction ran out of memory
    capacity_ = capacity;
    longest_ = longest;
    const std::size_t margin = 2 * kernels::subword_starts + longest;
    if (code_points_.size() >= capacity + margin) return;
    code_points_.resize(capacity + margin);
    left_.resize(capacity + margin);
    owners_.resize(capacity + margin);
  }

  /// Appends a word that must fit: its bytes and two more. `owner` is what owners() says of its code points.
  void append(std::string_view word, std::uint16_t owner) noexcept {
    const std::size_t begin = filled_;
    open();
    filled_ += unpack(word);
    close();
    std::fill(owners_.begin() + static_cast<std::ptrdiff_t>(begin), owners_.begin() + static_cast<std::ptrdiff_t>(filled_),
              owner);
  }
  /// The owner of each code point.
  const std::uint16_t* owners() const noexcept { return owners_.data(); }

  /// Appends a word of any length. `use()` is called when there is no room, and has to look at the n-grams of words().
  template <class Use>
  void append(std::string_view word, Use use) {
    if (capacity_ - filled_ < 2) make_room(use, false);
    open();
    while (!word.empty()) {
      // One entry is left for the end of the frame.
      std::size_t taken = std::min(word.size(), capacity_ - filled_ - 1);
      while (taken > 0 && taken < word.size() && (word[taken] & 0xC0) == 0x80) --taken;
      if (taken == 0) {
        make_room(use, true);
        continue;
      }
      filled_ += unpack(word.substr(0, taken));
      word.remove_prefix(taken);
    }
    close();
  }

  /// What n-grams can be found in now: those of a word that is not there as a whole start before its last ones.
  kernels::FramedWords words() const noexcept { return {code_points_.data(), left_.data(), starts_}; }
  bool empty() const noexcept { return filled_ == 0; }
  void clear() noexcept { filled_ = starts_ = 0; }

 private:
  void open() noexcept {
    left_[filled_] = kernels::first_in_frame | kernels::most_left;
    code_points_[filled_++] = '<';
  }
  std::size_t unpack(std::string_view piece) noexcept {
    const std::uint32_t* end =
        kernels::unpack_code_points(piece.data(), piece.size(), code_points_.data() + filled_);
    const auto count = static_cast<std::size_t>(end - code_points_.data()) - filled_;
    std::memset(left_.data() + filled_, kernels::most_left, count);
    return count;
  }
  void close() noexcept {
    left_[filled_] = kernels::most_left;
    code_points_[filled_++] = '>';
    // Further from the end than the longest n-gram it does not matter how far.
    for (std::size_t back = 1; back <= std::min<std::size_t>(filled_, kernels::most_left); ++back) {
      std::uint8_t& left = left_[filled_ - back];
      const bool is_first = (left & kernels::first_in_frame) != 0;
      left = static_cast<std::uint8_t>((left & kernels::first_in_frame) | back);
      if (is_first || back == longest_) break;
    }
    starts_ = filled_;
  }
  /// Has all used that can be, and keeps the rest: of an open frame, where n-grams may start that are not there yet.
  template <class Use>
  void make_room(Use use, bool is_open) {
    const std::size_t kept = is_open ? std::min(filled_, longest_ - 1) : 0;
    starts_ = filled_ - kept;
    use();
    std::memmove(code_points_.data(), code_points_.data() + starts_, kept * sizeof code_points_[0]);
    std::memmove(left_.data(), left_.data() + starts_, kept);
    filled_ = kept;
    starts_ = 0;
  }

  std::vector<std::uint32_t> code_points_;
  std::vector<std::uint8_t> left_;
  std::vector<std::uint16_t> owners_;
  std::size_t capacity_ = 0;
  std::size_t longest_ = 0;
  std::size_t filled_ = 0;
  std::size_t starts_ = 0;
};

/// The n-grams of some frames that have a row, by length.
class FoundSubwords {
 public:
  /// Empties the lists of `lengths` lengths and makes room for `starts` n-grams in each.
  kernels::KeptSubwords* begin(std::size_t lengths, std::size_t starts) {
    const std::size_t room = starts + kernels::subword_starts;
    if (buckets_.size() < lengths * room) {
      buckets_.resize(lengths * room);
      starts_.resize(lengths * room);
    }
    lists_.resize(lengths);
    ends_.resize(lengths);
    for (std::size_t i = 0; i < lengths; ++i) {
      lists_[i] = ends_[i] = {buckets_.data() + i * room, starts_.data() + i * room};
    }
    return ends_.data();
  }

  std::size_t lists() const noexcept { return lists_.size(); }
  std::size_t size(std::size_t list) const noexcept {
    return static_cast<std::size_t>(ends_[list].buckets - lists_[list].buckets);
  }
  /// Buckets, as they were found, or what the user has made of them.
  std::uint32_t* rows(std::size_t list) noexcept { return lists_[list].buckets; }
  const std::uint32_t* starts(std::size_t list) noexcept { return lists_[list].starts; }
  /// Keeps the n-grams of a list whose bucket `holds` says yes to.
  template <class Holds>
  void keep_if(std::size_t list, Holds holds) {
    auto& [buckets, starts] = lists_[list];
    std::size_t kept = 0;
    for (std::size_t i = 0, count = size(list); i < count; ++i) {
      buckets[kept] = buckets[i];
      starts[kept] = starts[i];
      kept += holds(buckets[i]) ? 1 : 0;
    }
    ends_[list] = {buckets + kept, starts + kept};
  }

 private:
  std::vector<std::uint32_t> buckets_;
  std::vector<std::uint32_t> starts_;
  std::vector<kernels::KeptSubwords> lists_;
  std::vector<kernels::KeptSubwords> ends_;
};

}  // namespace djfast::fasttext
