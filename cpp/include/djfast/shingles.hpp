// Shingles: the runs of consecutive tokens of a text that fuzzy deduplication compares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "djfast/scratch.hpp"
#include "kernels/hash/digests.hpp"

namespace djfast {

/// How a text falls into tokens, and what a shingle puts between them.
enum class Tokenization {
  space,        // split at U+0020, empty tokens dropped; joined by one space
  punctuation,  // split at every code point of \p{P}, empty tokens kept; joined by one space
  character,    // one token per code point; joined by nothing
};

/// UserError for another name.
Tokenization tokenization_named(const std::string& name);

/// The tokens of one text, with exactly one separator between them, so that every shingle is one slice of a buffer. Meant to be kept and reused:
/// its memory stays for the next text, as that of `Scratch` does.
class Tokens {
 public:
  /// Throws UserError for a text of 4 GiB or more.
  void split(std::string_view text, Tokenization tokenization);
  /// Takes tokens that something else has made; shingles put `join` between them.
  void take(std::span<const std::string_view> tokens, std::string_view join);

  std::size_t count() const noexcept { return count_; }
  std::size_t shingle_count(std::size_t window) const noexcept { return count_ < window ? 0 : count_ - window + 1; }

  /// The bytes that slices refer to; 64 more are readable after the last slice.
  const char* buffer() const noexcept { return buffer_.data(); }
  /// Start and end of each token from one on.
  const std::uint32_t* bounds(std::size_t token) const noexcept { return bounds_.data() + 2 * token + 1; }
  kernels::Slice token(std::size_t index) const noexcept {
    const std::uint32_t* const bound = bounds(index);
    return {bound[0], bound[1] - bound[0]};
  }

 private:
  void reserve(std::size_t bytes, std::size_t tokens);
  void split_at_spaces(std::string_view text);
  void split_at_punctuation(std::string_view text);
  void split_characters(std::string_view text);

  Scratch<char> buffer_;
  // Entry 0 is unused; then start and end of every token. So the end of the token before stands before each start.
  Scratch<std::uint32_t> bounds_;
  Scratch<std::uint64_t> marks_;
  std::size_t count_ = 0;
};

}  // namespace djfast
