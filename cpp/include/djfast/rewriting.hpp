// What functions that rewrite texts share: finding the bytes worth a look, and building the changed text.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "djfast/arena.hpp"
#include "kernels/text/byte_marks.hpp"

namespace djfast {

/// Walks over the bytes of a text that belong to a set. Borrows the text and the set.
class MarkedBytes {
 public:
  MarkedBytes(std::string_view text, const kernels::ByteSet& set) noexcept : text_(text), set_(set) {}

  /// Position of the first byte of the set at or after `from`; the text's size when there is none. Calls may go back
  /// and forth, but are fast only when they mostly go forth.
  std::size_t next(std::size_t from) noexcept {
    while (from < text_.size()) {
      if (from < begin_ || from >= end_) mark(from);
      std::size_t word = (from - begin_) / 64;
      std::uint64_t bits = marks_[word] >> ((from - begin_) % 64);
      if (bits != 0) return from + static_cast<std::size_t>(std::countr_zero(bits));
      while (++word * 64 < end_ - begin_) {
        bits = marks_[word];
        if (bits != 0) return begin_ + word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      }
      from = end_;
    }
    return text_.size();
  }

 private:
  void mark(std::size_t from) noexcept {
    begin_ = from;
    end_ = from + std::min(text_.size() - from, kernels::max_marked_bytes);
    kernels::mark_bytes(text_.substr(begin_, end_ - begin_), set_, marks_.data());
  }

  std::string_view text_;
  const kernels::ByteSet& set_;
  std::size_t begin_ = 0;  // the bytes [begin_, end_) are marked
  std::size_t end_ = 0;
  std::array<std::uint64_t, kernels::max_marked_bytes / 64> marks_;
};

/// Builds the changed form of a text whose parts are replaced from left to right. Memory is taken at the first change;
/// without one the result is the text itself. The arena serves nobody else until `finish`.
class Rewriting {
 public:
  Rewriting(std::string_view text, Arena& arena) noexcept : text_(text), arena_(arena) {}

  /// Replaces the bytes [begin, end) of the text; `begin` is not before the end of the last replacement.
  void replace(std::size_t begin, std::size_t end, std::string_view replacement) {
    // There is always room for the rest of the text, so only a replacement that is longer can need more.
    const std::size_t needed = size_ + (begin - kept_) + replacement.size() + (text_.size() - end);
    if (needed > capacity_) grow(needed);
    copy(text_.substr(kept_, begin - kept_));
    copy(replacement);
    kept_ = end;
    changed_ = true;
  }

  /// The changed text, in the arena; or the text itself.
  std::string_view finish() {
    if (!changed_) return text_;
    copy(text_.substr(kept_));
    arena_.commit(size_);
    return {out_ == nullptr ? text_.data() : out_, size_};  // null when nothing is left
  }

 private:
  void copy(std::string_view bytes) noexcept {
    if (bytes.empty()) return;
    std::memcpy(out_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  void grow(std::size_t needed) {
    capacity_ = std::max(needed + (out_ == nullptr ? 0 : needed / 2), text_.size());
    // Nothing is committed yet: the arena gives the same address again, or a new one and leaves the old bytes alone.
    char* room = arena_.reserve(capacity_);
    if (size_ != 0 && room != out_) std::memcpy(room, out_, size_);
    out_ = room;
  }

  std::string_view text_;
  Arena& arena_;
  std::size_t kept_ = 0;  // bytes of the text before this are done
  bool changed_ = false;
  char* out_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace djfast
