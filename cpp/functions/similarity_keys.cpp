// Keys of fuzzy deduplication: MinHash signatures and their bands, SimHash.
#include <charconv>
#include <algorithm>
#include <array>
#include <random>

#include "djfast/function.hpp"
#include "djfast/scratch.hpp"
#include "djfast/shingles.hpp"
#include "kernels/hash/digests.hpp"
#include "kernels/hash/mixing.hpp"
#include "kernels/hash/permutations.hpp"
#include "kernels/hash/similarity_sketch.hpp"
#include "kernels/hash/slices.hpp"
#include "kernels/hash/token_runs.hpp"
#include "kernels/hash/votes.hpp"

namespace djfast {
namespace {

/// What a signature holds where a text has no shingle.
constexpr std::uint64_t no_shingle = 0xFFFFFFFF;

std::string text_or(const Params& params, const std::string& name, const char* otherwise) {
  return params.has(name) ? params.get<std::string>(name) : std::string{otherwise};
}

/// An integer from `least` on.
std::size_t count_of(const Params& params, const std::string& name, std::int64_t least) {
  const auto value = params.get<std::int64_t>(name);
  if (value < least) throw UserError(name + " must be >= " + std::to_string(least) + ", got " + std::to_string(value));
  return static_cast<std::size_t>(value);
}

/// What key a text without a shingle gets.
enum class ShortTexts {
  merge,  // the one that all such texts share
  keep,   // none
  exact,  // one of its own tokens, which only equal texts share
};

ShortTexts short_texts_of(const Params& params) {
  const auto name = text_or(params, "short_texts", "merge");
  if (name == "merge") return ShortTexts::merge;
  if (name == "keep") return ShortTexts::keep;
  if (name == "exact") return ShortTexts::exact;
  throw UserError("short_texts must be merge, keep or exact, got " + name);
}

/// One number for all tokens, in their order.
std::uint64_t hash_of_tokens(const Tokens& tokens) noexcept {
  std::uint64_t hash = kernels::mixing_numbers[3] ^ tokens.count();
  for (std::size_t i = 0; i < tokens.count(); ++i) {
    const kernels::Slice token = tokens.token(i);
    hash = kernels::hash_bytes(tokens.buffer() + token.start, token.size, hash);
  }
  return kernels::fold(hash ^ kernels::mixing_numbers[0], kernels::mixing_numbers[2]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Hashes of shingles, a part of the shingles at a time so that they stay in the cache.

constexpr std::size_t part_shingles = 4096;

/// The shingles [first, first + count) ordered by the number of 64-byte blocks their digest needs, which is what lanes
/// that work side by side should have in common. Order does not matter to any user of shingles.
std::span<const kernels::Slice> slices_by_length(const Tokens& tokens, std::size_t window, std::size_t first,
                                                 std::size_t count) {
  using List = std::array<kernels::Slice, part_shingles + 8>;
  thread_local List one_block;
  thread_local List two_blocks;
  thread_local List more_blocks;
  kernels::SliceLists ends{one_block.data(), two_blocks.data(), more_blocks.data()};
  kernels::list_slices(tokens.bounds(first), count, window, ends);
  std::sort(more_blocks.data(), ends.more,
            [](const kernels::Slice& a, const kernels::Slice& b) { return a.size < b.size; });
  kernels::Slice* const end = std::copy(two_blocks.data(), ends.two, ends.one);
  std::copy(more_blocks.data(), ends.more, end);
  return {one_block.data(), count};
}

// ---------------------------------------------------------------------------------------------------------------------
// Signatures.

/// Makes the signature of a text that has at least one shingle.
class Signer {
 public:
  Signer() = default;
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  virtual ~Signer() = default;
  virtual void sign(const Tokens& tokens, std::size_t window, std::span<std::uint64_t> signature) const = 0;
};

/// Data-Juicer's signatures: affine permutations, drawn from a Mersenne twister, of the first 32 bits of SHA-1.
class PermutationSigner final : public Signer {
 public:
  PermutationSigner(std::size_t permutations, std::uint32_t seed) {
    std::mt19937 twister(seed);
    constexpr std::uint64_t largest = (std::uint64_t{1} << 61) - 2;  // the prime 2^61 - 1, less one
    for (std::size_t i = 0; i < permutations; ++i) {
      factors_.push_back(1 + draw(twister, largest - 1));
      summands_.push_back(draw(twister, largest));
    }
    while (factors_.size() % kernels::permutation_group != 0) {
      factors_.push_back(1);
      summands_.push_back(0);
    }
    for (const auto factor : factors_) low_factors_.push_back(static_cast<std::uint32_t>(factor));
    for (const auto summand : summands_) raised_summands_.push_back(static_cast<std::uint32_t>(summand) + 8);
  }

  void sign(const Tokens& tokens, std::size_t window, std::span<std::uint64_t> signature) const override {
    thread_local Scratch<std::uint32_t> least;
    thread_local std::array<std::uint32_t, part_shingles> hashes;
    least.assign(factors_.size(), UINT32_MAX);
    const kernels::Permutations permutations{factors_, summands_, low_factors_, raised_summands_};
    const std::size_t shingles = tokens.shingle_count(window);
    for (std::size_t first = 0; first < shingles; first += part_shingles) {
      std::size_t count = std::min(part_shingles, shingles - first);
      kernels::sha1_prefixes(tokens.buffer(), slices_by_length(tokens, window, first, count), hashes.data());
      for (; count % kernels::hash_block != 0; ++count) hashes[count] = hashes[count - 1];
      kernels::lower_signature(permutations, {hashes.data(), count}, least.data());
    }
    std::copy_n(least.begin(), signature.size(), signature.begin());
  }

 private:
  /// A number in [0, largest], drawn as numpy's RandomState.randint does: masked, and drawn again while too large.
  static std::uint64_t draw(std::mt19937& twister, std::uint64_t largest) {
    constexpr std::uint64_t mask = (std::uint64_t{1} << 61) - 1;
    for (;;) {
      const std::uint64_t high = twister();
      const std::uint64_t value = (high << 32 | static_cast<std::uint64_t>(twister())) & mask;
      if (value <= largest) return value;
    }
  }

  std::vector<std::uint64_t> factors_;
  std::vector<std::uint64_t> summands_;
  std::vector<std::uint32_t> low_factors_;
  std::vector<std::uint32_t> raised_summands_;
};

/// Our own signatures: every token is hashed once, a polynomial over the hashes of its tokens stands for a shingle, and
/// a fast similarity sketch takes the place of the permutations.
class SketchSigner final : public Signer {
 public:
  explicit SketchSigner(std::uint64_t seed) : seed_(kernels::fold(seed ^ kernels::mixing_numbers[0], base)) {}

  void sign(const Tokens& tokens, std::size_t window, std::span<std::uint64_t> signature) const override {
    thread_local Scratch<std::uint64_t> hashes;
    if (hashes.size() < tokens.count()) hashes.resize(tokens.count());
    for (std::size_t i = 0; i < tokens.count(); ++i) {
      const kernels::Slice token = tokens.token(i);
      hashes[i] = kernels::hash_bytes(tokens.buffer() + token.start, token.size, seed_);
    }
    // Each token's own hash is already strong, so the polynomial only has to tell orders apart.
    kernels::hash_runs({hashes.data(), tokens.count()}, window, base);
    const std::size_t shingles = tokens.shingle_count(window);
    kernels::sketch_set({hashes.data(), shingles}, seed_, signature);
  }

 private:
  static constexpr std::uint64_t base = kernels::mixing_numbers[1];
  std::uint64_t seed_;
};

std::unique_ptr<Signer> signer_of(const Params& params, std::size_t permutations) {
  const std::int64_t seed = params.has("seed") ? params.get<std::int64_t>("seed") : 42;
  const auto hash = text_or(params, "hash", "data-juicer");
  if (hash == "data-juicer") return std::make_unique<PermutationSigner>(permutations, static_cast<std::uint32_t>(seed));
  if (hash == "fast") return std::make_unique<SketchSigner>(static_cast<std::uint64_t>(seed));
  throw UserError("hash must be data-juicer or fast, got " + hash);
}

// ---------------------------------------------------------------------------------------------------------------------
// Functions.

/// Calls `add(items)` for each row alive, where items is the growing list of the numbers of all rows.
template <class Add>
NumberLists lists_of(const Call& call, Add add) {
  NumberLists lists;
  lists.offsets.reserve(call.row_count + 1);
  lists.offsets.push_back(0);
  for (const std::uint32_t row : call.rows) {
    lists.offsets.resize(row + 1, static_cast<std::uint32_t>(lists.items.size()));
    try {
      add(row, lists.items);
    } catch (const UserError& error) {
      call.errors.add(row, error.what());
    }
    lists.offsets.push_back(static_cast<std::uint32_t>(lists.items.size()));
  }
  lists.offsets.resize(call.row_count + 1, static_cast<std::uint32_t>(lists.items.size()));
  return lists;
}

/// Tokens of a row of a text column.
class TextTokens {
 public:
  explicit TextTokens(const Params& params)
      : tokenization_(tokenization_named(text_or(params, "tokenization", "space"))) {}
  void operator()(const Call& call, std::uint32_t row, Tokens& tokens) const {
    tokens.split(call.texts(0)[row], tokenization_);
  }

 private:
  Tokenization tokenization_;
};

/// Tokens of a row of a text_list column.
class ListedTokens {
 public:
  explicit ListedTokens(const Params& params) : join_(text_or(params, "join", "")) {}
  void operator()(const Call& call, std::uint32_t row, Tokens& tokens) const {
    const auto& lists = std::get<TextLists>(*call.arguments[0]);
    const std::span<const std::string_view> items{lists.items};
    tokens.take(items.subspan(lists.offsets[row], lists.offsets[row + 1] - lists.offsets[row]), join_);
  }

 private:
  std::string join_;
};

template <class TokensOf>
class MinHashSignature : public Function {
 public:
  explicit MinHashSignature(const Params& params)
      : tokens_of_(params),
        window_(count_of(params, "window", 1)),
        permutations_(count_of(params, "permutations", 1)),
        short_texts_(short_texts_of(params)),
        signer_(signer_of(params, permutations_)) {}

  Column run(const Call& call) const override {
    return lists_of(call, [&](std::uint32_t row, std::vector<std::uint64_t>& items) {
      const auto signature = sign(call, row);
      items.insert(items.end(), signature.begin(), signature.end());
    });
  }

 protected:
  /// The signature of a row, valid until the thread's next call; empty for a short text that is to have no key.
  std::span<const std::uint64_t> sign(const Call& call, std::uint32_t row) const {
    thread_local Tokens tokens;
    thread_local Scratch<std::uint64_t> signature;
    tokens_of_(call, row, tokens);
    const bool has_shingle = tokens.shingle_count(window_) > 0;
    if (!has_shingle && short_texts_ == ShortTexts::keep) return {};
    signature.assign(permutations_, no_shingle);
    if (has_shingle) {
      signer_->sign(tokens, window_, signature);
    } else if (short_texts_ == ShortTexts::exact) {
      const std::uint64_t hash = hash_of_tokens(tokens);
      for (std::size_t i = 0; i < permutations_; ++i) signature[i] = kernels::fold(hash ^ i, kernels::mixing_numbers[1]);
    }
    return signature;
  }

  std::size_t permutations() const noexcept { return permutations_; }

 private:
  TokensOf tokens_of_;
  std::size_t window_;
  std::size_t permutations_;
  ShortTexts short_texts_;
  std::unique_ptr<Signer> signer_;
};

template <class TokensOf>
class MinHashBands final : public MinHashSignature<TokensOf> {
 public:
  explicit MinHashBands(const Params& params)
      : MinHashSignature<TokensOf>(params), bands_(count_of(params, "bands", 1)), rows_(count_of(params, "rows", 1)) {
    // A band beyond the signature would be the same for all texts and unite them.
    if (rows_ > this->permutations() / bands_) {
      throw UserError("bands * rows must be <= permutations (" + std::to_string(this->permutations()) + "), got " +
                      std::to_string(bands_) + " * " + std::to_string(rows_));
    }
  }

  Column run(const Call& call) const override {
    return lists_of(call, [&](std::uint32_t row, std::vector<std::uint64_t>& items) {
      const auto signature = this->sign(call, row);
      if (signature.empty()) return;
      for (std::size_t band = 0; band < bands_; ++band) {
        items.push_back(key(band, signature.subspan(band * rows_, rows_)));
      }
    });
  }

 private:
  static std::uint64_t key(std::size_t band, std::span<const std::uint64_t> values) noexcept {
    std::uint64_t hash = kernels::mixing_numbers[0] ^ band;
    for (const auto value : values) hash = kernels::fold(hash ^ value, kernels::mixing_numbers[1]) + value;
    return kernels::fold(hash ^ kernels::mixing_numbers[2], kernels::mixing_numbers[3]);
  }

  std::size_t bands_;
  std::size_t rows_;
};

class SimHash final : public Function {
 public:
  explicit SimHash(const Params& params)
      : tokens_of_(params), window_(count_of(params, "window", 1)), short_texts_(short_texts_of(params)) {}

  Column run(const Call& call) const override {
    return lists_of(call, [&](std::uint32_t row, std::vector<std::uint64_t>& items) {
      thread_local Tokens tokens;
      tokens_of_(call, row, tokens);
      if (tokens.shingle_count(window_) > 0) {
        items.push_back(majority(tokens));
      } else if (short_texts_ != ShortTexts::keep) {
        items.push_back(short_texts_ == ShortTexts::exact ? hash_of_tokens(tokens) : 0);
      }
    });
  }

 private:
  std::uint64_t majority(const Tokens& tokens) const {
    thread_local std::array<std::uint64_t, part_shingles> hashes;
    std::uint64_t counts[64] = {};
    const std::size_t shingles = tokens.shingle_count(window_);
    for (std::size_t first = 0; first < shingles; first += part_shingles) {
      const std::size_t count = std::min(part_shingles, shingles - first);
      kernels::md5_prefixes(tokens.buffer(), slices_by_length(tokens, window_, first, count), hashes.data());
      kernels::count_bits({hashes.data(), count}, counts);
    }
    std::uint64_t hash = 0;
    for (int bit = 0; bit < 64; ++bit) hash |= static_cast<std::uint64_t>(2 * counts[bit] > shingles) << bit;
    return hash;
  }

  TextTokens tokens_of_;
  std::size_t window_;
  ShortTexts short_texts_;
};

template <class Made>
FunctionSpec declaration(std::string_view name, std::string_view summary, Type input) {
  return {.name = name,
          .summary = summary,
          .inputs = {input},
          .output = Type::number_list,
          .memory = 7,
          .may_reject = true,
          .make = [](const Params& params) { return std::make_unique<Made>(params); }};
}

/// Lists of keys with a row's number behind them; its order as unsigned is that of the signed number.
class NumberedKeys final : public Function {
 public:
  Column run(const Call& call) const override {
    const auto& lists = std::get<NumberLists>(*call.arguments[0]);
    const Texts& numbers = call.texts(1);
    NumberLists numbered{.offsets = std::vector<std::uint32_t>(call.row_count + 1), .items = {}};
    auto next = call.rows.begin();
    for (std::uint32_t row = 0; row < call.row_count; ++row) {
      if (next != call.rows.end() && *next == row) {
        ++next;
        const auto begin = lists.items.begin() + lists.offsets[row];
        const auto end = lists.items.begin() + lists.offsets[row + 1];
        numbered.items.insert(numbered.items.end(), begin, end);
        const std::uint64_t number = read(call, row, numbers[row]);
        if (begin != end) numbered.items.push_back(number);
      }
      numbered.offsets[row + 1] = static_cast<std::uint32_t>(numbered.items.size());
    }
    return numbered;
  }

 private:
  static std::uint64_t read(const Call& call, std::uint32_t row, std::string_view json) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), number);
    if (error != std::errc{} || end != json.data() + json.size()) {
      call.errors.add(row, "the row's number must be an integer of 64 bits, got " +
                               (json.empty() ? "none" : std::string{json.substr(0, 40)}));
    }
    return static_cast<std::uint64_t>(number) ^ (std::uint64_t{1} << 63);
  }
};

}  // namespace

void register_similarity_keys(Registry& registry) {
  registry.add({
      .name = "numbered_keys",
      .summary = "Lists of keys with the row's number behind them, which decides who stays of a group.",
      .inputs = {Type::number_list, Type::json},
      .output = Type::number_list,
      .may_reject = true,
      .make = [](const Params&) { return std::make_unique<NumberedKeys>(); },
  });
  registry.add(declaration<MinHashSignature<TextTokens>>(
      "minhash_signature", "The MinHash values of a text's shingles; 2^32 - 1 throughout when it has none.",
      Type::text));
  registry.add(declaration<MinHashSignature<ListedTokens>>(
      "minhash_signature_of_tokens", "The MinHash values of the shingles of a list of tokens.", Type::text_list));
  registry.add(declaration<MinHashBands<TextTokens>>(
      "minhash_bands",
      "One 64-bit key per band of a text's MinHash signature; texts that share one are near duplicates.",
      Type::text));
  registry.add(declaration<MinHashBands<ListedTokens>>(
      "minhash_bands_of_tokens", "One 64-bit key per band of the MinHash signature of a list of tokens.",
      Type::text_list));
  registry.add(declaration<SimHash>(
      "simhash", "The SimHash of a text's shingles: near duplicates differ in few bits; 0 when it has no shingle.",
      Type::text));
}

}  // namespace djfast
