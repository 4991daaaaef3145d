// fastText's binary model file (dense .bin and quantised .ftz), checked and unpacked.
//
// The layout is that of versions 11 and 12 as fastText 0.9 writes them, little-endian: settings, dictionary, pruned
// n-gram index, input matrix, output matrix. Nothing in a file is trusted: every size is held against the bytes that
// are left before memory is taken, and every index against the matrix it points into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "huge_pages.hpp"
#include "kernels/dispatch.hpp"

namespace djfast::fasttext {

/// Floats that are added and multiplied together. Rows are padded to whole lanes with zeros.
inline constexpr std::size_t lanes = 16;
typedef float Lanes __attribute__((vector_size(lanes * sizeof(float))));

/// Lanes in a container. (A bare vector type would lose its alignment as a template argument.)
struct alignas(64) Block {
  Lanes values;
};

/// A read-only file in memory.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  std::string_view bytes() const noexcept { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A matrix of floats by rows of `blocks` lanes.
class Matrix {
 public:
  Matrix() = default;
  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;
  Matrix(Matrix&&) = default;
  Matrix& operator=(Matrix&&) = default;
  /// Rows to be filled; what pads them is zero.
  Matrix(std::size_t rows, std::size_t columns);
  /// Rows that stay where they are in a model file; the matrix keeps the file mapped. `columns` fills whole lanes.
  Matrix(std::size_t rows, std::size_t columns, const char* data, std::shared_ptr<const MappedFile> file);

  std::size_t rows() const noexcept { return rows_; }
  std::size_t columns() const noexcept { return columns_; }
  std::size_t blocks() const noexcept { return blocks_; }

  /// The `columns()` values of a row that this matrix owns.
  float* values(std::size_t row) noexcept { return reinterpret_cast<float*>(owned_.data() + row * blocks_); }
  const char* row_bytes(std::size_t row) const noexcept { return data_ + row * blocks_ * sizeof(Lanes); }
  DJFAST_INLINE void load(std::size_t row, std::size_t block, Lanes& out) const noexcept {
    __builtin_memcpy(&out, row_bytes(row) + block * sizeof(Lanes), sizeof out);
  }

 private:
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::size_t blocks_ = 0;
  std::vector<Block, HugePages<Block>> owned_;
  std::shared_ptr<const MappedFile> file_;  // shared with the other matrix of the same file
  const char* data_ = nullptr;              // owned_ or a place in file_; floats there need not be aligned
};

enum class Loss : std::int32_t { hierarchical_softmax = 1, negative_sampling = 2, softmax = 3, one_vs_all = 4 };

/// Longest n-gram of words or characters that a model may use; fastText's defaults are 1 and 6.
inline constexpr std::size_t max_ngram = 64;

/// What a model file says.
struct Parts {
  std::size_t dimension = 0;
  std::size_t word_ngrams = 0;
  Loss loss = Loss::softmax;
  std::uint32_t buckets = 0;
  std::size_t shortest_subword = 0;  // in code points
  std::size_t longest_subword = 0;   // 0: words are not taken apart
  std::size_t word_count = 0;        // entries [0, word_count) are words, the others labels
  std::vector<std::string> entries;
  std::vector<std::int64_t> label_counts;
  bool is_pruned = false;
  // When is_pruned: the buckets of n-grams that have a row, ascending. The i-th has row word_count + i.
  std::vector<std::uint32_t> held;
  Matrix input;
  Matrix output;
};

/// Reads a supervised model.
///
/// Throws ModelError, naming the file and what is wrong with it.
Parts read_model(const std::string& path);

}  // namespace djfast::fasttext
