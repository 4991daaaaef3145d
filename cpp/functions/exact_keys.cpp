// Keys of exact deduplication: what of a text counts, and its MD5.
#include <algorithm>

#include "djfast/function.hpp"
#include "djfast/unicode.hpp"
#include "kernels/hash/digests.hpp"
#include "kernels/hash/kept_characters.hpp"

namespace djfast {
namespace {

/// `text` without white space, decimal digits and ASCII punctuation; other punctuation counts as text.
std::string_view without_ignored(std::string_view text, Arena& arena) {
  constexpr std::size_t slack = 64;
  char* room = arena.reserve(text.size() + slack);
  const std::size_t size = kernels::keep_characters(text, room);
  if (size == text.size()) return text;
  arena.commit(size);
  return {room, size};
}

class Md5Digests final : public Function {
 public:
  Column run(const Call& call) const override {
    const Texts& texts = call.texts(0);
    std::vector<std::string_view> messages;
    messages.reserve(call.rows.size());
    for (const auto row : call.rows) messages.push_back(texts[row]);
    std::vector<std::uint8_t> digests(digest_bytes * messages.size());
    kernels::md5_digests(messages, digests.data());
    if (messages.size() == call.row_count) return Digests{.width = digest_bytes, .bytes = std::move(digests)};
    Digests spread{.width = digest_bytes, .bytes = std::vector<std::uint8_t>(digest_bytes * call.row_count)};
    for (std::size_t i = 0; i < call.rows.size(); ++i) {
      std::copy_n(digests.data() + digest_bytes * i, digest_bytes, spread.bytes.data() + digest_bytes * call.rows[i]);
    }
    return spread;
  }

 private:
  static constexpr std::size_t digest_bytes = 16;
};

}  // namespace

void register_exact_keys(Registry& registry) {
  registry.add({
      .name = "normalize_for_exact",
      .summary = "The text whose digest exact deduplication compares: stripped, and as asked in lower case and without "
                 "white space, digits and ASCII punctuation.",
      .inputs = {Type::text},
      .output = Type::text,
      .make =
          [](const Params& params) {
            const bool lowercase = params.get<bool>("lowercase");
            const bool ignore_non_character = params.get<bool>("ignore_non_character");
            return per_text_rewrite([=](std::string_view text, Arena& arena) {
              if (lowercase) text = unicode::lower(text, arena);
              if (ignore_non_character) text = without_ignored(text, arena);
              return unicode::strip(text);
            });
          },
  });
  registry.add({
      .name = "digest_md5",
      .summary = "MD5 of the text's bytes: 16 bytes.",
      .inputs = {Type::text},
      .output = Type::digest,
      .make = [](const Params&) { return std::make_unique<Md5Digests>(); },
  });
}

}  // namespace djfast
