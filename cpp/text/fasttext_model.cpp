// fastText's predictor: words and their subwords select rows of the input matrix, their mean is scored against labels.
//
// Bojanowski et al., "Enriching Word Vectors with Subword Information", 2017; Joulin et al., "Bag of Tricks for
// Efficient Text Classification", 2017 and "FastText.zip", 2016.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <span>
#include <tuple>
#include <utility>

#include <sys/stat.h>

#include "djfast/errors.hpp"
#include "djfast/fasttext.hpp"
#include "djfast/unicode.hpp"
#include "fasttext_format.hpp"
#include "fasttext_frames.hpp"
#include "huge_pages.hpp"
#include "kernels/dispatch.hpp"
#include "kernels/separators.hpp"
#include "kernels/subwords.hpp"
#include "kernels/word_sums.hpp"

namespace djfast::fasttext {
namespace {

constexpr std::string_view end_of_sentence = "</s>";
constexpr std::string_view label_prefix = "__label__";
constexpr double log_guard = 1e-5;  // fastText scores log(p + 1e-5) at every decision
constexpr std::uint32_t none = 0xFFFFFFFF;

// FNV-1a over signed characters, as fastText hashes: bytes from 0x80 flip the upper 24 bits too.
constexpr std::uint32_t hash_start = 2166136261U;
std::uint32_t ngram_hash_of(std::string_view word) noexcept {
  std::uint32_t hash = hash_start;
  for (const char byte : word) {
    hash = (hash ^ static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<signed char>(byte)))) * 16777619U;
  }
  return hash;
}

/// Words and labels by their text.
class Vocabulary {
 public:
  explicit Vocabulary(const std::vector<std::string>& entries)
      : slots_(std::bit_ceil(entries.size() * 2), Slot{0, none}),
        marks_(std::max<std::size_t>(slots_.size() / 16, 1)),
        offsets_{0} {
    for (const auto& entry : entries) {
      bytes_ += entry;
      offsets_.push_back(bytes_.size());
      longest_ = std::max(longest_, entry.size());
    }
    // Of equal entries the last one counts.
    for (std::uint32_t entry = 0; entry < entries.size(); ++entry) {
      const std::uint64_t hash = hash_of(entries[entry]);
      slots_[slot_of(entries[entry], hash)] = {tag_of(hash), entry};
      marks_[mark_of(hash) / 64] |= std::uint64_t{1} << mark_of(hash) % 64;
    }
  }
  /// Index of the entry, or `none`. `hash` is hash_of(text).
  std::uint32_t find(std::string_view text, std::uint64_t hash) const noexcept {
    return is_marked(hash) ? slots_[slot_of(text, hash)].entry : none;
  }
  std::uint32_t find(std::string_view text) const noexcept {
    return text.size() > longest_ ? none : find(text, hash_of(text));
  }
  void prefetch(std::uint64_t hash) const noexcept {
    if (is_marked(hash)) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }

  static std::uint64_t hash_of(std::string_view text) noexcept {
    constexpr std::uint64_t factor = 0x9E3779B97F4A7C15;
    std::uint64_t hash = text.size();
    const auto add = [&](std::uint64_t word) {
      hash = (hash ^ word) * factor;
      hash ^= hash >> 32;
    };
    const auto load = [&]<class Word>(Word word, std::size_t at) {
      std::memcpy(&word, text.data() + at, sizeof word);
      return std::uint64_t{word};
    };
    // The last load may overlap the one before.
    const std::size_t size = text.size();
    if (size >= 8) {
      for (std::size_t at = 0; at + 8 < size; at += 8) add(load(std::uint64_t{}, at));
      add(load(std::uint64_t{}, size - 8));
    } else if (size >= 4) {
      add(load(std::uint32_t{}, 0) | load(std::uint32_t{}, size - 4) << 32);
    } else if (size > 0) {
      add(load(std::uint8_t{}, 0) | load(std::uint8_t{}, size / 2) << 8 | load(std::uint8_t{}, size - 1) << 16);
    }
    return hash;
  }

 private:
  struct Slot {
    std::uint32_t tag;  // other bits of the hash than its place: most strangers are told apart without their text
    std::uint32_t entry;
  };

  std::size_t mark_of(std::uint64_t hash) const noexcept { return hash >> 20 & (marks_.size() * 64 - 1); }
  bool is_marked(std::uint64_t hash) const noexcept {
    return (marks_[mark_of(hash) / 64] >> mark_of(hash) % 64 & 1) != 0;
  }
  static std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32); }

  std::size_t slot_of(std::string_view text, std::uint64_t hash) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash & mask;
    while (slots_[slot].entry != none &&
           (slots_[slot].tag != tag_of(hash) || entry_text(slots_[slot].entry) != text)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }
  std::string_view entry_text(std::uint32_t entry) const noexcept {
    return {bytes_.data() + offsets_[entry], offsets_[entry + 1] - offsets_[entry]};
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  // Eight to sixteen bits per entry, one of them set. Those of an ordinary vocabulary stay in the processor's first
  // cache, and tell most strangers.
  std::vector<std::uint64_t> marks_;
  std::vector<std::size_t> offsets_;
  std::string bytes_;
  std::size_t longest_ = 0;
};

/// Which n-grams survived pruning.
class PrunedIndex {
 public:
  PrunedIndex(std::vector<std::uint32_t> held, std::uint32_t buckets) : held_(std::move(held)) {
    if (buckets > max_marked_buckets) return;
    marks_.assign(2 * (buckets / 64 + std::size_t{1}), 0);
    for (const std::uint32_t bucket : held_) marks_[bucket / 32] |= std::uint32_t{1} << bucket % 32;
    std::uint32_t before = 0;
    for (std::size_t word = 0; word < marks_.size(); ++word) {
      if (word % 2 == 0) before_.push_back(before);
      before += static_cast<std::uint32_t>(std::popcount(marks_[word]));
    }
  }

  /// Marks of the buckets that have a row, as kernels::SubwordBuckets has them; null when there are too many buckets.
  const std::uint32_t* marks() const noexcept { return marks_.empty() ? nullptr : marks_.data(); }
  bool holds(std::uint32_t bucket) const noexcept {
    if (marks_.empty()) return std::ranges::binary_search(held_, bucket);
    return (marks_[bucket / 32] >> bucket % 32 & 1) != 0;
  }
  /// Replaces buckets that have a row by their places among those.
  void to_places(std::span<std::uint32_t> buckets) const noexcept {
    if (!marks_.empty()) {
      kernels::places_of_marks(buckets.data(), buckets.size(), {marks_.data(), before_.data()});
      return;
    }
    for (auto& bucket : buckets) {
      bucket = static_cast<std::uint32_t>(std::ranges::lower_bound(held_, bucket) - held_.begin());
    }
  }

 private:
  // Models have a few million; the marks of this many take 8 MiB.
  static constexpr std::uint32_t max_marked_buckets = std::uint32_t{1} << 26;

  // See kernels::MarkedBuckets. Most n-grams of a text are pruned, and the marks stay in the processor's cache.
  std::vector<std::uint32_t, HugePages<std::uint32_t>> marks_;
  std::vector<std::uint32_t> before_;
  std::vector<std::uint32_t> held_;  // buckets that have a row, in ascending order
};

/// A node of the Huffman tree over labels.
struct TreeNode {
  std::int32_t left = -1;  // -1: a leaf; its index is its label
  std::int32_t right = -1;
};

/// The tree that hierarchical softmax was trained with: built from label counts, which fastText stores in descending
/// order, by merging the two rarest nodes until one is left.
std::vector<TreeNode> huffman_tree(const std::vector<std::int64_t>& counts) {
  const std::size_t leaves = counts.size();
  std::vector<TreeNode> tree(2 * leaves - 1);
  std::vector<std::int64_t> node_counts = counts;
  node_counts.resize(tree.size(), std::numeric_limits<std::int64_t>::max());  // not made yet
  std::size_t leaves_left = leaves;
  std::size_t inner = leaves;
  const auto take_rarest = [&] {
    const bool is_leaf = leaves_left > 0 && node_counts[leaves_left - 1] < node_counts[inner];
    return static_cast<std::int32_t>(is_leaf ? --leaves_left : inner++);
  };
  for (std::size_t made = leaves; made < tree.size(); ++made) {
    tree[made].left = take_rarest();
    tree[made].right = take_rarest();
    node_counts[made] = node_counts[static_cast<std::size_t>(tree[made].left)] +
                        node_counts[static_cast<std::size_t>(tree[made].right)];
  }
  return tree;
}

/// The logistic function from fastText's table: one-vs-all scores are its entries.
float tabulated_logistic(float x) noexcept {
  constexpr int table_size = 512;
  constexpr float limit = 8;
  if (!(x >= -limit)) return x < -limit ? 0.0F : x;  // NaN stays NaN
  if (x > limit) return 1.0F;
  const auto entry = static_cast<int>((x + limit) * table_size / limit / 2);
  const float at = static_cast<float>(entry * 2 * limit) / table_size - limit;
  return static_cast<float>(1.0 / (1.0 + std::exp(-at)));
}

/// What a word adds to its document.
struct WordRows {
  std::uint32_t count = 0;     // rows in its sum
  bool is_label = false;       // labels in the text add nothing and are no part of word n-grams
  bool ends_sentence = false;  // nothing after it is read
};

/// Sums of short words that a thread has met lately. What it holds changes the time of a prediction only.
class WordTable {
 public:
  static constexpr std::size_t max_bytes = std::size_t{24} << 20;

  /// Empties the table for a model whose rows have `blocks` lanes.
  void reset(std::uint64_t model_id, std::size_t blocks) {
    const std::size_t place_bytes = sizeof(kernels::WordPlace) + kernels::table_ways * blocks * sizeof(Lanes);
    const std::size_t place_count = std::max<std::size_t>(std::bit_floor(max_bytes / place_bytes), 16);
    model_id_ = 0;
    places_.assign(place_count, kernels::WordPlace{});
    sums_.resize(place_count * kernels::table_ways * blocks);
    model_id_ = model_id;
  }
  std::uint64_t model_id() const noexcept { return model_id_; }
  std::size_t place_count() const noexcept { return places_.size(); }
  kernels::WordPlace* places() noexcept { return places_.data(); }
  const char* sums() const noexcept { return reinterpret_cast<const char*>(sums_.data()); }

  /// Takes up a word, unless it is there already; one that was not met again makes room for it.
  void insert(const kernels::PendingWord& word, std::uint32_t row_count, const Block* sum,
              std::size_t blocks) noexcept {
    auto& keys = places_[word.place].keys;
    for (const auto& key : keys) {
      if (key[0] == word.key[0] && (key[1] & ~kernels::notes_mask) == word.key[1]) return;
    }
    std::size_t way = hand_++ % kernels::table_ways;
    for (std::size_t tried = 0; tried < kernels::table_ways && (keys[way][1] & kernels::met_again) != 0; ++tried) {
      keys[way][1] &= ~kernels::met_again;
      way = (way + 1) % kernels::table_ways;
    }
    keys[way][0] = word.key[0];
    keys[way][1] = word.key[1] | static_cast<std::uint64_t>(row_count) << kernels::notes_shift;
    std::copy_n(sum, blocks, sums_.data() + (std::size_t{word.place} * kernels::table_ways + way) * blocks);
  }

 private:
  std::uint64_t model_id_ = 0;  // 0: belongs to no model
  std::size_t hand_ = 0;
  std::vector<kernels::WordPlace, HugePages<kernels::WordPlace>> places_;
  std::vector<Block, HugePages<Block>> sums_;
};

// Words are summed by chunks of a text: few enough that the memory that was asked for stays in the processor's cache.
constexpr std::size_t chunk_bytes = 1024;
constexpr std::size_t chunk_words = chunk_bytes + 1;
// Code points of the new words of a chunk in their frames: they end there, and one may begin before it.
constexpr std::size_t chunk_code_points = chunk_bytes + 2 * chunk_words + kernels::longest_table_word;

/// A word that the table may take up.
struct NewWord {
  std::uint32_t index;  // in Scratch::words
  WordRows rows;
};

/// Memory of a thread between predictions.
struct Scratch {
  WordTable table;
  std::vector<Block> mean;
  std::vector<Block> word_sum;
  std::vector<Block> zeros;
  std::vector<Block> new_sums;
  std::vector<std::uint32_t> new_row_counts = std::vector<std::uint32_t>(chunk_words);
  std::vector<kernels::PendingWord> words = std::vector<kernels::PendingWord>(chunk_words + 1);
  std::vector<const char*> sums = std::vector<const char*>(chunk_words);
  std::vector<std::uint32_t> row_counts = std::vector<std::uint32_t>(chunk_words);
  std::vector<std::uint32_t> missing = std::vector<std::uint32_t>(chunk_words);
  std::vector<NewWord> new_words = std::vector<NewWord>(chunk_words);
  std::vector<std::uint64_t> hashes = std::vector<std::uint64_t>(chunk_words);
  Frames short_words;
  Frames long_words;
  FoundSubwords found;
  std::vector<std::uint32_t> word_hashes;
  std::vector<std::pair<std::int32_t, double>> open_nodes;
  std::vector<float> outputs;

  void prepare(std::uint64_t model_id, std::size_t blocks, std::size_t longest_subword) {
    if (table.model_id() != model_id) table.reset(model_id, blocks);
    mean.assign(blocks, Block{});
    word_sum.resize(blocks);
    zeros.assign(blocks, Block{});
    short_words.prepare(chunk_code_points, longest_subword);
    long_words.prepare(chunk_code_points, longest_subword);
  }

  static Scratch& of_thread() {
    static thread_local Scratch scratch;
    return scratch;
  }
};

DJFAST_INLINE float sum_of_lanes(const Lanes& values) noexcept {
  // Halves are added to halves: the same order on every processor.
  float lane[lanes];
  std::memcpy(lane, &values, sizeof lane);
  for (std::size_t half = lanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

class Predictor final : public Model {
 public:
  Predictor(Parts parts, const std::string& path)
      : dimension_blocks_(parts.input.blocks()),
        word_ngrams_(parts.word_ngrams),
        loss_(parts.loss),
        shortest_subword_(std::max<std::size_t>(parts.shortest_subword, 1)),
        longest_subword_(parts.longest_subword < shortest_subword_ ? 0 : parts.longest_subword),
        word_count_(static_cast<std::uint32_t>(parts.word_count)),
        is_pruned_(parts.is_pruned),
        bucket_of_(std::max(parts.buckets, 1U)),
        buckets_(parts.buckets),
        vocabulary_(parts.entries),
        pruned_(std::move(parts.held), parts.buckets),
        input_(std::move(parts.input)),
        output_(std::move(parts.output)) {
    for (std::size_t entry = word_count_; entry < parts.entries.size(); ++entry) {
      std::string label = parts.entries[entry];
      for (auto at = label.find(label_prefix); at != std::string::npos; at = label.find(label_prefix, at)) {
        label.erase(at, label_prefix.size());
      }
      if (!unicode::is_valid_utf8(label)) throw ModelError("fastText model " + path + ": a label is not UTF-8 text");
      labels_.push_back(std::move(label));
    }
    if (loss_ == Loss::hierarchical_softmax) tree_ = huffman_tree(parts.label_counts);
    static std::atomic<std::uint64_t> last_id{0};
    id_ = ++last_id;
  }

  Prediction predict(std::string_view text) const override {
    Scratch& scratch = Scratch::of_thread();
    scratch.prepare(id_, dimension_blocks_, longest_subword_);
    const std::int64_t row_count =
        word_ngrams_ > 1 ? sum_with_word_ngrams(text, scratch) : sum_of_words(text, scratch);
    if (row_count == 0) return {};
    const float scale = 1.0F / static_cast<float>(row_count);
    for (auto& block : scratch.mean) block.values *= scale;
    return loss_ == Loss::hierarchical_softmax ? best_leaf(scratch) : best_output(scratch);
  }

 private:
  /// Adds the sums of all words to `scratch.mean` and returns the number of rows.
  std::int64_t sum_of_words(std::string_view text, Scratch& scratch) const {
    if (text.empty()) text = "";  // a place to point past, which null is not
    std::uint64_t separators[chunk_bytes / 64];
    std::int64_t row_count = 0;
    const char* word_begin = text.data();
    for (std::size_t chunk = 0; chunk <= text.size(); chunk += chunk_bytes) {
      const std::size_t chunk_size = std::min(chunk_bytes, text.size() - chunk);
      kernels::mark_separators(text.data() + chunk, chunk_size, separators);
      // The end of the text ends a word, too.
      std::size_t mark_count = (chunk_size + 63) / 64;
      if (chunk_size < chunk_bytes) {
        if (chunk_size % 64 == 0) separators[mark_count++] = 0;
        separators[chunk_size / 64] |= std::uint64_t{1} << chunk_size % 64;
      }
      const std::size_t word_count =
          kernels::pack_words({text.data() + chunk, text.data() + text.size(), separators, mark_count}, word_begin,
                              scratch.table.places(), scratch.table.place_count(), scratch.words.data());
      if (add_words(word_count, scratch, row_count)) return row_count;
    }
    row_count += sum_word(end_of_sentence, scratch).count;
    add_blocks(scratch.word_sum.data(), scratch.mean.data());
    return row_count;
  }

  /// Adds the first `count` words. True when one of them ends the sentence.
  bool add_words(std::size_t count, Scratch& scratch, std::int64_t& row_count) const {
    const std::size_t missing_count =
        kernels::find_words(scratch.words.data(), count, scratch.table.places(), scratch.table.sums(),
                            dimension_blocks_ * sizeof(Lanes), scratch.sums.data(), scratch.row_counts.data(),
                            scratch.missing.data());
    std::span<const std::uint32_t> missing{scratch.missing.data(), missing_count};
    const auto end = std::ranges::find_if(
        missing, [&](std::uint32_t index) { return text_of(scratch.words[index]) == end_of_sentence; });
    const bool ends_sentence = end != missing.end();
    if (ends_sentence) {
      count = *end + std::size_t{1};
      missing = missing.first(static_cast<std::size_t>(end - missing.begin()) + 1);
    }
    row_count += add_long_words(missing, scratch);
    const auto new_words = sum_new_words(missing, scratch);
    kernels::add_vectors(scratch.sums.data(), count, dimension_blocks_, reinterpret_cast<float*>(scratch.mean.data()));
    std::uint32_t chunk_rows = 0;
    for (std::size_t i = 0; i < count; ++i) chunk_rows += scratch.row_counts[i];
    row_count += chunk_rows;

    // Sums in the table may be overwritten from here on.
    for (std::size_t i = 0; i < new_words.size(); ++i) {
      const auto& [index, rows] = new_words[i];
      // The end of a sentence stays out of the table, so that hits need not be checked for it.
      if (rows.ends_sentence || rows.count > kernels::most_table_rows) continue;
      scratch.table.insert(scratch.words[index], rows.count, scratch.new_sums.data() + i * dimension_blocks_,
                           dimension_blocks_);
    }
    return ends_sentence;
  }

  static std::string_view text_of(const kernels::PendingWord& word) noexcept { return {word.text, word.length}; }

  /// Adds the words among `missing` that are too long for the table, and returns their number of rows. What they add is
  /// the same whatever the table holds: it holds none of them.
  std::int64_t add_long_words(std::span<const std::uint32_t> missing, Scratch& scratch) const {
    std::int64_t row_count = 0;
    const auto add_subwords = [&] { row_count += add_subwords_of(scratch.long_words, scratch.mean.data(), scratch); };
    for (const std::uint32_t index : missing) {
      const std::string_view word = text_of(scratch.words[index]);
      if (word.size() <= kernels::longest_table_word) continue;
      scratch.sums[index] = reinterpret_cast<const char*>(scratch.zeros.data());
      scratch.row_counts[index] = 0;
      const WordRows rows = add_entry(word, vocabulary_.find(word), scratch.mean.data());
      row_count += rows.count;
      if (has_subwords(rows)) scratch.long_words.append(word, add_subwords);
    }
    add_subwords();
    scratch.long_words.clear();
    return row_count;
  }

  /// Sums the rows of the other words, which the table may take up. Each step asks for the memory of the next one for all
  /// words, which hides most of the waiting.
  std::span<const NewWord> sum_new_words(std::span<const std::uint32_t> missing, Scratch& scratch) const {
    auto& new_words = scratch.new_words;
    std::size_t count = 0;
    for (const std::uint32_t index : missing) {
      const std::string_view word = text_of(scratch.words[index]);
      if (word.size() > kernels::longest_table_word) continue;
      scratch.hashes[count] = Vocabulary::hash_of(word);
      vocabulary_.prefetch(scratch.hashes[count]);
      new_words[count++].index = index;
    }
    if (scratch.new_sums.size() < count * dimension_blocks_) scratch.new_sums.resize(count * dimension_blocks_);
    std::fill_n(scratch.new_sums.data(), count * dimension_blocks_, Block{});
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view word = text_of(scratch.words[new_words[i].index]);
      Block* const sum = scratch.new_sums.data() + i * dimension_blocks_;
      new_words[i].rows = add_entry(word, vocabulary_.find(word, scratch.hashes[i]), sum);
      scratch.new_row_counts[i] = new_words[i].rows.count;
      if (has_subwords(new_words[i].rows)) scratch.short_words.append(word, static_cast<std::uint16_t>(i));
    }
    if (!scratch.short_words.empty()) {
      auto& found = find_subwords(scratch.short_words, scratch);
      for (std::size_t list = 0; list < found.lists(); ++list) {
        kernels::add_rows_apart(input_.row_bytes(0), found.rows(list), found.starts(list), found.size(list),
                                scratch.short_words.owners(), dimension_blocks_,
                                reinterpret_cast<float*>(scratch.new_sums.data()), scratch.new_row_counts.data());
      }
      scratch.short_words.clear();
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t index = new_words[i].index;
      new_words[i].rows.count = scratch.new_row_counts[i];
      scratch.row_counts[index] = scratch.new_row_counts[i];
      scratch.sums[index] = reinterpret_cast<const char*>(scratch.new_sums.data() + i * dimension_blocks_);
    }
    return {new_words.data(), count};
  }

  /// The same for models that also look at sequences of words: these hash every word, so the table would help little.
  std::int64_t sum_with_word_ngrams(std::string_view text, Scratch& scratch) const {
    auto& hashes = scratch.word_hashes;
    hashes.clear();
    std::int64_t row_count = 0;
    const auto add = [&](std::string_view word) {
      const auto rows = sum_word(word, scratch);
      if (!rows.is_label) hashes.push_back(ngram_hash_of(word));
      row_count += rows.count;
      add_blocks(scratch.word_sum.data(), scratch.mean.data());
      return !rows.ends_sentence;
    };
    constexpr std::string_view separators{" \t\n\v\f\r\0", 7};
    bool reads_on = true;
    for (auto begin = text.find_first_not_of(separators); reads_on && begin != std::string_view::npos;) {
      const auto end = std::min(text.find_first_of(separators, begin), text.size());
      reads_on = add(text.substr(begin, end - begin));
      begin = text.find_first_not_of(separators, end);
    }
    if (reads_on) add(end_of_sentence);

    std::fill(scratch.word_sum.begin(), scratch.word_sum.end(), Block{});
    NgramSum sum{*this, scratch.word_sum.data()};
    for (std::size_t first = 0; first < hashes.size(); ++first) {
      // Hashes are signed 32-bit numbers in fastText.
      auto hash = static_cast<std::uint64_t>(static_cast<std::int32_t>(hashes[first]));
      for (std::size_t last = first + 1; last < hashes.size() && last < first + word_ngrams_; ++last) {
        hash = hash * 116049371 + static_cast<std::uint64_t>(static_cast<std::int32_t>(hashes[last]));
        const auto bucket = static_cast<std::uint32_t>(hash % buckets_);
        if (is_held(bucket)) sum.add(bucket);
      }
    }
    row_count += sum.finish();
    add_blocks(scratch.word_sum.data(), scratch.mean.data());
    return row_count;
  }

  DJFAST_INLINE void add_blocks(const Block* from, Block* to) const noexcept {
    for (std::size_t block = 0; block < dimension_blocks_; ++block) to[block].values += from[block].values;
  }

  bool is_held(std::uint32_t bucket) const noexcept { return !is_pruned_ || pruned_.holds(bucket); }
  bool has_subwords(const WordRows& rows) const noexcept {
    return longest_subword_ > 0 && !rows.is_label && !rows.ends_sentence;
  }
  /// Finds the rows of the n-grams of some words, and asks for their memory.
  FoundSubwords& find_subwords(const Frames& frames, Scratch& scratch) const {
    const std::uint32_t* marks = is_pruned_ ? pruned_.marks() : nullptr;
    FoundSubwords& found = scratch.found;
    kernels::KeptSubwords* const kept = found.begin(longest_subword_ - shortest_subword_ + 1, frames.words().starts);
    kernels::keep_subwords(frames.words(), {shortest_subword_, longest_subword_, bucket_of_, marks}, kept);
    for (std::size_t list = 0; list < found.lists(); ++list) {
      if (is_pruned_ && marks == nullptr) {
        found.keep_if(list, [this](std::uint32_t bucket) { return pruned_.holds(bucket); });
      }
      to_rows({found.rows(list), found.size(list)});
    }
    return found;
  }
  /// Adds the rows of the n-grams of some words, and returns their number.
  std::uint32_t add_subwords_of(const Frames& frames, Block* sum, Scratch& scratch) const {
    if (frames.empty()) return 0;
    std::uint32_t count = 0;
    auto& found = find_subwords(frames, scratch);
    for (std::size_t list = 0; list < found.lists(); ++list) {
      add_rows({found.rows(list), found.size(list)}, sum);
      count += static_cast<std::uint32_t>(found.size(list));
    }
    return count;
  }
  /// Turns buckets that have a row into rows of the input matrix, and asks for their memory.
  void to_rows(std::span<std::uint32_t> buckets) const noexcept {
    if (is_pruned_) pruned_.to_places(buckets);
    for (auto& row : buckets) {
      row += word_count_;
      __builtin_prefetch(input_.row_bytes(row));
    }
  }
  void add_rows(std::span<const std::uint32_t> rows, Block* sum) const noexcept {
    kernels::add_rows(input_.row_bytes(0), rows.data(), rows.size(), dimension_blocks_, reinterpret_cast<float*>(sum));
  }

  /// Sums n-grams of which there may be any number, some at a time.
  class NgramSum {
   public:
    NgramSum(const Predictor& model, Block* sum) : model_(model), sum_(sum) {}
    /// Adds a bucket that has a row.
    void add(std::uint32_t bucket) noexcept {
      if (end_ == std::end(waiting_)) settle();
      *end_++ = bucket;
    }
    /// Returns the number of rows added.
    std::uint32_t finish() noexcept {
      settle();
      return count_;
    }

   private:
    void settle() noexcept {
      const std::span rows{waiting_, end_};
      model_.to_rows(rows);
      model_.add_rows(rows, sum_);
      count_ += static_cast<std::uint32_t>(rows.size());
      end_ = waiting_;
    }

    const Predictor& model_;
    Block* sum_;
    std::uint32_t waiting_[256];
    std::uint32_t* end_ = waiting_;
    std::uint32_t count_ = 0;
  };

  /// Adds a word's own row, when it has one, and says what kind of word it is.
  /// `entry` is what the vocabulary has found of it.
  WordRows add_entry(std::string_view word, std::uint32_t entry, Block* sum) const noexcept {
    const bool is_known = entry != none;
    if (is_known ? entry >= word_count_ : word.starts_with(label_prefix)) return {.is_label = true};
    if (is_known) add_rows({&entry, 1}, sum);
    return {.count = is_known ? 1U : 0U, .ends_sentence = word == end_of_sentence};
  }

  /// Writes the sum of a word's rows, its own and those of its subwords, to Scratch::word_sum.
  WordRows sum_word(std::string_view word, Scratch& scratch) const {
    Block* const sum = scratch.word_sum.data();
    std::fill_n(sum, dimension_blocks_, Block{});
    WordRows rows = add_entry(word, vocabulary_.find(word), sum);
    if (!has_subwords(rows)) return rows;
    const auto add_subwords = [&] { rows.count += add_subwords_of(scratch.long_words, sum, scratch); };
    scratch.long_words.append(word, add_subwords);
    add_subwords();
    scratch.long_words.clear();
    return rows;
  }

  float dot(std::size_t output_row, const std::vector<Block>& mean) const noexcept {
    Lanes products{};
    for (std::size_t block = 0; block < dimension_blocks_; ++block) {
      Lanes weights;
      output_.load(output_row, block, weights);
      products += weights * mean[block].values;
    }
    return sum_of_lanes(products);
  }

  /// Hierarchical softmax: a label's probability is the product of the decisions on the way to it. The likelier branch
  /// is followed first, and branches that cannot win are left out.
  Prediction best_leaf(Scratch& scratch) const {
    auto& open = scratch.open_nodes;
    open.assign(1, {static_cast<std::int32_t>(tree_.size()) - 1, 1.0});
    Prediction best;
    double best_score = log_guard;  // fastText gives up on less
    while (!open.empty()) {
      const auto [node, score] = open.back();
      open.pop_back();
      if (!(score >= best_score)) continue;
      const auto [left, right] = tree_[static_cast<std::size_t>(node)];
      if (left < 0) {
        best_score = score;
        best.label = node;
        continue;
      }
      const float activation = dot(static_cast<std::size_t>(node) - labels_.size(), scratch.mean);
      const float goes_right = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(activation))));
      const double right_score = score * (goes_right + log_guard);
      const double left_score = score * (static_cast<double>(1.0F - goes_right) + log_guard);
      if (left_score > right_score) {
        open.emplace_back(right, right_score);
        open.emplace_back(left, left_score);
      } else {
        open.emplace_back(left, left_score);
        open.emplace_back(right, right_score);
      }
    }
    best.score = static_cast<float>(best_score);
    return best;
  }

  Prediction best_output(Scratch& scratch) const {
    auto& outputs = scratch.outputs;
    outputs.resize(labels_.size());
    for (std::size_t label = 0; label < outputs.size(); ++label) outputs[label] = dot(label, scratch.mean);
    if (loss_ == Loss::softmax) {
      const float largest = *std::max_element(outputs.begin(), outputs.end());
      float total = 0;
      for (auto& value : outputs) {
        value = static_cast<float>(std::exp(static_cast<double>(value - largest)));
        total += value;
      }
      for (auto& value : outputs) value /= total;
    } else {
      for (auto& value : outputs) value = tabulated_logistic(value);
    }
    Prediction best;
    for (std::size_t label = 0; label < outputs.size(); ++label) {
      const float probability = outputs[label];
      // Of equal labels fastText keeps the last; NaN is no answer.
      if (probability >= 0 && (best.label < 0 || probability >= best.score)) {
        best = {static_cast<std::int32_t>(label), probability};
      }
    }
    if (best.label >= 0) best.score = static_cast<float>(best.score + log_guard);
    return best;
  }

  std::size_t dimension_blocks_;
  std::size_t word_ngrams_;
  Loss loss_;
  std::size_t shortest_subword_;
  std::size_t longest_subword_;
  std::uint32_t word_count_;
  bool is_pruned_;
  kernels::Divisor bucket_of_;
  std::uint32_t buckets_;
  Vocabulary vocabulary_;
  PrunedIndex pruned_;
  Matrix input_;
  Matrix output_;
  std::vector<TreeNode> tree_;
  std::uint64_t id_ = 0;
};

}  // namespace

std::shared_ptr<const Model> shared_model(const std::string& path) {
  using Version = std::tuple<std::int64_t, std::int64_t, std::int64_t>;
  struct Loaded {
    Version version;
    std::shared_ptr<const Model> model;  // shared with every function that uses it
  };
  static std::mutex mutex;
  static std::map<std::string, Loaded> models;
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
#if defined(__APPLE__)
  const auto changed = status.st_mtimespec;
#else
  const auto changed = status.st_mtim;
#endif
  const Version version{changed.tv_sec, changed.tv_nsec, exists ? status.st_size : -1};
  const std::lock_guard lock{mutex};
  auto found = models.find(path);
  if (found == models.end() || found->second.version != version) {
    auto model = std::make_shared<const Predictor>(read_model(path), path);
    found = models.insert_or_assign(path, Loaded{version, std::move(model)}).first;
  }
  return found->second.model;
}

}  // namespace djfast::fasttext
