#include "fasttext_format.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "djfast/errors.hpp"

namespace djfast::fasttext {
namespace {

static_assert(std::endian::native == std::endian::little, "model files are little-endian");

constexpr std::int32_t magic = 793712314;
constexpr std::size_t max_dimension = 1 << 16;
constexpr std::size_t max_matrix_bytes = std::size_t{4} << 30;    // a matrix that has to be unpacked
constexpr std::size_t centroids_per_part = 256;
constexpr std::int64_t max_label_occurrences = 1'000'000'000'000'000;  // the Huffman tree's "not made yet"

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw ModelError("fastText model " + path + ": " + problem);
}

/// Reads a file from front to back; running out of bytes is the file's error.
class Cursor {
 public:
  Cursor(const std::string& path, std::string_view bytes) : path_(path), left_(bytes) {}

  [[noreturn]] void fail(const std::string& problem) const { fasttext::fail(path_, problem); }

  std::string_view take(std::size_t size, const char* what) {
    if (size > left_.size()) fail(std::string{"the file ends within "} + what);
    const auto taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  template <class Number>
  Number number(const char* what) {
    Number value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  /// A 32- or 64-bit number that must lie in [low, high].
  template <class Number>
  std::size_t size(const char* what, Number low, std::size_t high) {
    const auto value = number<Number>(what);
    if (value < low || static_cast<std::uint64_t>(value) > high) {
      fail(std::string{what} + " is out of range, got " + std::to_string(value));
    }
    return static_cast<std::size_t>(value);
  }

  bool flag(const char* what) { return size<std::uint8_t>(what, 0, 1) == 1; }

  std::string_view terminated(const char* what) {
    const auto end = left_.find('\0');
    if (end == std::string_view::npos) fail(std::string{"the file ends within "} + what);
    const auto text = left_.substr(0, end);
    left_.remove_prefix(end + 1);
    return text;
  }

  std::size_t left() const noexcept { return left_.size(); }

 private:
  const std::string& path_;
  std::string_view left_;
};

void read_settings(Cursor& file, Parts& parts) {
  if (file.left() < 8 || file.number<std::int32_t>("the header") != magic) file.fail("not a fastText model file");
  const auto version = file.number<std::int32_t>("the header");
  if (version != 11 && version != 12) {
    file.fail("format version must be 11 or 12, got " + std::to_string(version));
  }
  parts.dimension = file.size<std::int32_t>("dim", 1, max_dimension);
  file.take(4 * sizeof(std::int32_t), "the settings");  // ws, epoch, minCount, neg: training only
  parts.word_ngrams = file.size<std::int32_t>("wordNgrams", 0, max_ngram);
  parts.loss = static_cast<Loss>(file.size<std::int32_t>("loss", 1, 4));
  if (file.number<std::int32_t>("the settings") != 3) file.fail("not a supervised model: it has no labels");
  parts.buckets = static_cast<std::uint32_t>(file.size<std::int32_t>("bucket", 0, 0x7FFFFFFF));
  parts.shortest_subword = file.size<std::int32_t>("minn", 0, max_ngram);
  parts.longest_subword = file.size<std::int32_t>("maxn", 0, max_ngram);
  file.take(sizeof(std::int32_t) + sizeof(double), "the settings");  // lrUpdateRate, t: training only
  if (version == 11) parts.longest_subword = 0;  // supervised models of that version have no subwords
}

/// An n-gram that survived pruning, as the file has it.
struct PrunedNgram {
  std::uint32_t bucket;
  std::uint32_t row;  // of the input matrix
};

/// Returns the n-grams that survived pruning.
std::vector<PrunedNgram> read_dictionary(Cursor& file, Parts& parts) {
  constexpr std::size_t smallest_entry = 1 + sizeof(std::int64_t) + 1;
  const auto count = file.size<std::int32_t>("the dictionary size", 1, file.left() / smallest_entry);
  parts.word_count = file.size<std::int32_t>("the number of words", 0, count - 1);
  const auto label_count = file.size<std::int32_t>("the number of labels", 1, count);
  if (parts.word_count + label_count != count) file.fail("words and labels do not add up to the dictionary");
  file.take(sizeof(std::int64_t), "the dictionary");  // tokens seen in training
  const auto pruned_count = file.number<std::int64_t>("the dictionary");
  parts.entries.reserve(count);
  std::int64_t occurrences = 0;
  for (std::size_t entry = 0; entry < count; ++entry) {
    parts.entries.emplace_back(file.terminated("the dictionary"));
    const auto seen = file.number<std::int64_t>("the dictionary");
    const bool is_label = file.flag("the type of a dictionary entry");
    if (is_label != (entry >= parts.word_count)) file.fail("labels do not follow the words of the dictionary");
    if (!is_label) continue;
    if (seen < 0 || seen >= max_label_occurrences - occurrences) {
      file.fail("the count of a label is out of range, got " + std::to_string(seen));
    }
    occurrences += seen;
    parts.label_counts.push_back(seen);
  }
  std::vector<PrunedNgram> pruned;
  if (pruned_count < 0) return pruned;
  parts.is_pruned = true;
  if (static_cast<std::uint64_t>(pruned_count) > file.left() / (2 * sizeof(std::int32_t))) {
    file.fail("the file ends within the pruned n-grams");
  }
  pruned.reserve(static_cast<std::size_t>(pruned_count));
  for (std::int64_t i = 0; i < pruned_count; ++i) {
    const auto bucket = file.size<std::int32_t>("a pruned n-gram", 0, 0x7FFFFFFF);
    const auto row = file.size<std::int32_t>("the row of a pruned n-gram", 0, 0x7FFFFFFF);
    pruned.push_back({static_cast<std::uint32_t>(bucket), static_cast<std::uint32_t>(parts.word_count + row)});
  }
  return pruned;
}

void check_memory(const Cursor& file, std::size_t rows, std::size_t columns) {
  const std::size_t row_bytes = (columns + lanes - 1) / lanes * sizeof(Lanes);
  if (rows > max_matrix_bytes / row_bytes) {
    file.fail("a matrix of " + std::to_string(rows) + " x " + std::to_string(columns) + " is too large");
  }
}

Matrix read_dense(Cursor& file, std::size_t columns, const std::shared_ptr<const MappedFile>& mapped) {
  const auto rows = file.size<std::int64_t>("the rows of a matrix", 0, file.left() / (columns * sizeof(float)));
  if (file.number<std::int64_t>("a matrix") != static_cast<std::int64_t>(columns)) {
    file.fail("the width of a matrix differs from dim");
  }
  const auto values = file.take(rows * columns * sizeof(float), "a matrix");
  // The common dimensions are used in place: a model of 126 MB then costs no start-up time, and the ranks of a node
  // share its pages.
  if (columns % lanes == 0) return {rows, columns, values.data(), mapped};
  check_memory(file, rows, columns);
  Matrix matrix{rows, columns};
  const std::size_t row_bytes = columns * sizeof(float);
  for (std::size_t row = 0; row < rows; ++row) std::memcpy(matrix.values(row), values.data() + row * row_bytes, row_bytes);
  return matrix;
}

/// The centroids of a product quantiser: a row of `columns` values is cut into parts of `part_width`, and each part
/// is one of 256 centroids.
struct Quantiser {
  std::size_t columns = 0;
  std::size_t part_count = 0;
  std::size_t part_width = 0;
  std::vector<float> centroids;

  /// The last part may be narrower; its centroids then lie closer together.
  std::span<const float> centroid(std::size_t part, std::uint8_t code) const noexcept {
    const std::size_t width = std::min(part_width, columns - part * part_width);
    return {centroids.data() + part * centroids_per_part * part_width + code * width, width};
  }
};

Quantiser read_quantiser(Cursor& file, std::size_t columns) {
  Quantiser quantiser;
  quantiser.columns = columns;
  if (file.number<std::int32_t>("a quantiser") != static_cast<std::int32_t>(columns)) {
    file.fail("the width of a quantiser differs from that of its matrix");
  }
  quantiser.part_count = file.size<std::int32_t>("the parts of a quantiser", 1, columns);
  quantiser.part_width = file.size<std::int32_t>("the part width of a quantiser", 1, columns);
  const auto last_width = file.size<std::int32_t>("the last part's width of a quantiser", 1, columns);
  if (quantiser.part_count != (columns + quantiser.part_width - 1) / quantiser.part_width ||
      last_width != columns - (quantiser.part_count - 1) * quantiser.part_width) {
    file.fail("the parts of a quantiser do not add up to its width");
  }
  const auto values = file.take(columns * centroids_per_part * sizeof(float), "a quantiser");
  quantiser.centroids.resize(columns * centroids_per_part);
  std::memcpy(quantiser.centroids.data(), values.data(), values.size());
  return quantiser;
}

/// A quantised matrix as it stands in the file: its rows can be unpacked in any order.
struct QuantisedRows {
  std::size_t rows = 0;
  std::string_view codes;
  std::string_view norm_codes;  // one per row, or none
  Quantiser quantiser;
  Quantiser norms;

  void unpack(std::size_t row, float* out) const noexcept {
    const float norm =
        norm_codes.empty() ? 1.0F : norms.centroid(0, static_cast<std::uint8_t>(norm_codes[row]))[0];
    for (std::size_t part = 0; part < quantiser.part_count; ++part) {
      const auto code = static_cast<std::uint8_t>(codes[row * quantiser.part_count + part]);
      for (const float value : quantiser.centroid(part, code)) *out++ = norm * value;
    }
  }
};

QuantisedRows read_quantised(Cursor& file, std::size_t columns) {
  QuantisedRows matrix;
  const bool has_norms = file.flag("the norm flag of a quantised matrix");
  matrix.rows = file.size<std::int64_t>("the rows of a quantised matrix", 0, file.left());
  if (file.number<std::int64_t>("a quantised matrix") != static_cast<std::int64_t>(columns)) {
    file.fail("the width of a quantised matrix differs from dim");
  }
  const auto code_bytes = file.size<std::int32_t>("the codes of a quantised matrix", 0, file.left());
  matrix.codes = file.take(code_bytes, "a quantised matrix");
  matrix.quantiser = read_quantiser(file, columns);
  if (code_bytes != matrix.rows * matrix.quantiser.part_count) {
    file.fail("the codes of a quantised matrix do not fill its rows");
  }
  if (has_norms) {
    matrix.norm_codes = file.take(matrix.rows, "the norms of a quantised matrix");
    matrix.norms = read_quantiser(file, 1);
  }
  check_memory(file, matrix.rows, columns);
  return matrix;
}

/// The rows of a quantised matrix that `order` names, in that order.
Matrix unpacked(const Cursor& file, const QuantisedRows& rows, std::span<const std::uint32_t> order) {
  const std::size_t columns = rows.quantiser.columns;
  check_memory(file, order.size(), columns);
  Matrix matrix{order.size(), columns};
  for (std::size_t row = 0; row < order.size(); ++row) rows.unpack(order[row], matrix.values(row));
  return matrix;
}

Matrix unpacked(const Cursor& file, const QuantisedRows& rows) {
  std::vector<std::uint32_t> order(rows.rows);
  std::iota(order.begin(), order.end(), 0U);
  return unpacked(file, rows, order);
}

void check_rows(const Cursor& file, const Parts& parts, std::size_t input_rows,
                const std::vector<PrunedNgram>& pruned) {
  const bool has_ngrams = parts.longest_subword > 0 || parts.word_ngrams > 1;
  std::size_t rows_needed = parts.word_count;
  if (parts.is_pruned) {
    for (const auto& ngram : pruned) rows_needed = std::max<std::size_t>(rows_needed, std::size_t{ngram.row} + 1);
  } else if (has_ngrams) {
    rows_needed += parts.buckets;
  }
  if (has_ngrams && parts.buckets == 0) file.fail("n-grams are in use but bucket is 0");
  if (input_rows < rows_needed || input_rows > 0xFFFFFFFF) {
    file.fail("the input matrix must have " + std::to_string(rows_needed) + " rows or more, got " +
              std::to_string(input_rows));
  }
  if (parts.output.rows() != parts.label_counts.size()) {
    file.fail("the output matrix must have a row for each of the " + std::to_string(parts.label_counts.size()) +
              " labels, got " + std::to_string(parts.output.rows()));
  }
}

/// Sorts by bucket and keeps the order of equal ones. By digits of 16 bits: the model is waited for at every start.
std::vector<PrunedNgram> sorted_by_bucket(std::vector<PrunedNgram> ngrams) {
  std::vector<PrunedNgram> sorted(ngrams.size());
  for (const int shift : {0, 16}) {
    const auto digit = [shift](const PrunedNgram& ngram) { return ngram.bucket >> shift & 0xFFFF; };
    std::vector<std::size_t> begins(0x10001);
    for (const auto& ngram : ngrams) ++begins[digit(ngram) + 1];
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    for (const auto& ngram : ngrams) sorted[begins[digit(ngram)]++] = ngram;
    ngrams.swap(sorted);
  }
  return ngrams;
}

/// Lists the buckets that have a row, and the rows of the matrix in the order of words and buckets: where a bucket's row
/// is then follows from how many buckets are before it.
std::vector<std::uint32_t> order_rows(Parts& parts, std::vector<PrunedNgram> pruned) {
  std::erase_if(pruned, [&](const PrunedNgram& ngram) { return ngram.bucket >= parts.buckets; });
  pruned = sorted_by_bucket(std::move(pruned));
  std::vector<std::uint32_t> rows(parts.word_count);
  std::iota(rows.begin(), rows.end(), 0U);
  for (std::size_t i = 0; i < pruned.size(); ++i) {
    if (i + 1 < pruned.size() && pruned[i + 1].bucket == pruned[i].bucket) continue;  // the last one counts
    parts.held.push_back(pruned[i].bucket);
    rows.push_back(pruned[i].row);
  }
  return rows;
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) fail(path, std::string{"cannot be opened: "} + std::strerror(errno));
  struct stat status {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file);
    fail(path, "not a regular file");
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ > 0) {
    void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
      const std::string reason = std::strerror(errno);
      ::close(file);
      fail(path, "cannot be mapped: " + reason);
    }
    data_ = static_cast<const char*>(data);
  }
  ::close(file);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

Matrix::Matrix(std::size_t rows, std::size_t columns)
    : rows_(rows), columns_(columns), blocks_((columns + lanes - 1) / lanes), owned_(rows * blocks_) {
  data_ = reinterpret_cast<const char*>(owned_.data());
  if (columns % lanes != 0) std::ranges::fill(owned_, Block{});
}

Matrix::Matrix(std::size_t rows, std::size_t columns, const char* data, std::shared_ptr<const MappedFile> file)
    : rows_(rows), columns_(columns), blocks_(columns / lanes), file_(std::move(file)), data_(data) {}

Parts read_model(const std::string& path) {
  const auto mapped = std::make_shared<const MappedFile>(path);
  Cursor file{path, mapped->bytes()};
  Parts parts;
  read_settings(file, parts);
  auto pruned = read_dictionary(file, parts);
  const bool is_quantised = file.flag("the quantisation flag");
  if (parts.is_pruned && !is_quantised) file.fail("n-grams are pruned but the matrix is not quantised");
  QuantisedRows quantised;
  if (is_quantised) {
    quantised = read_quantised(file, parts.dimension);
  } else {
    parts.input = read_dense(file, parts.dimension, mapped);
  }
  const bool output_is_quantised = file.flag("the output's quantisation flag") && is_quantised;
  parts.output = output_is_quantised ? unpacked(file, read_quantised(file, parts.dimension))
                                     : read_dense(file, parts.dimension, mapped);
  check_rows(file, parts, is_quantised ? quantised.rows : parts.input.rows(), pruned);
  if (parts.is_pruned) {
    parts.input = unpacked(file, quantised, order_rows(parts, std::move(pruned)));
  } else if (is_quantised) {
    parts.input = unpacked(file, quantised);
  }
  return parts;
}

}  // namespace djfast::fasttext
