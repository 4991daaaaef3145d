// How long texts are and of what characters: numbers per text, and per list.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "djfast/function.hpp"
#include "djfast/scratch.hpp"
#include "kernels/text/segments.hpp"

namespace djfast {
namespace {

using kernels::text::segments;
using kernels::text::SegmentKernels;

using Counter = std::size_t (*SegmentKernels::*)(std::string_view) noexcept;

std::unique_ptr<Function> counting(Counter counter) {
  return per_text<std::int64_t>(
      [counter](std::string_view text) { return static_cast<std::int64_t>((segments().*counter)(text)); });
}

Counter counter_of(const std::string& cls) {
  if (cls == "alnum") return &SegmentKernels::count_alnum;
  if (cls == "alpha") return &SegmentKernels::count_alpha;
  if (cls == "special") return &SegmentKernels::count_special;
  throw InternalError("count_class: cls must be alnum, alpha or special, got " + cls);
}

class Ratio final : public Function {
 public:
  Column run(const Call& call) const override {
    const auto& part = std::get<Int64s>(*call.arguments[0]);
    const auto& whole = std::get<Int64s>(*call.arguments[1]);
    Doubles ratios(call.row_count);
    for (const auto row : call.rows) {
      ratios[row] = whole[row] == 0 ? 0.0 : static_cast<double>(part[row]) / static_cast<double>(whole[row]);
    }
    return ratios;
  }
};

class Lines final : public Function {
 public:
  Column run(const Call& call) const override {
    thread_local Scratch<std::uint64_t> lengths;  // of one text: cheaper than counting its lines beforehand
    const Texts& texts = call.texts(0);
    const auto& kernels = segments();
    NumberLists lines;
    lines.offsets.assign(call.row_count + 1, 0);
    for (const auto row : call.rows) {
      const std::size_t most = texts[row].size() + 2;  // see SegmentKernels::line_lengths
      if (lengths.size() < most) lengths.resize(most);
      const std::uint64_t* const end = kernels.line_lengths(texts[row], lengths.data());
      lines.items.insert(lines.items.end(), std::as_const(lengths).data(), end);
      lines.offsets[row + 1] = static_cast<std::uint32_t>(end - lengths.data());
    }
    for (std::size_t row = 0; row < call.row_count; ++row) lines.offsets[row + 1] += lines.offsets[row];
    return lines;
  }
};

class ListLength final : public Function {
 public:
  Column run(const Call& call) const override {
    Int64s lengths(call.row_count);
    if (const auto* words = std::get_if<CountedWords>(call.arguments[0])) {
      for (const auto row : call.rows) lengths[row] = static_cast<std::int64_t>((*words)[row].numbers.size());
      return lengths;
    }
    const auto* texts = std::get_if<TextLists>(call.arguments[0]);
    const auto& offsets = texts != nullptr ? texts->offsets : std::get<NumberLists>(*call.arguments[0]).offsets;
    for (const auto row : call.rows) lengths[row] = offsets[row + 1] - offsets[row];
    return lengths;
  }
};

class ListMax final : public Function {
 public:
  Column run(const Call& call) const override {
    const auto& lists = std::get<NumberLists>(*call.arguments[0]);
    Int64s largest(call.row_count);
    for (const auto row : call.rows) {
      std::uint64_t most = 0;
      for (auto at = lists.offsets[row]; at < lists.offsets[row + 1]; ++at) most = std::max(most, lists.items[at]);
      largest[row] = static_cast<std::int64_t>(most);
    }
    return largest;
  }
};

}  // namespace

void register_text_size(Registry& registry) {
  registry.add({
      .name = "text_length",
      .summary = "Number of code points.",
      .inputs = {Type::text},
      .output = Type::int64,
      .cost = 30,
      .make = [](const Params&) { return counting(&SegmentKernels::count_code_points); },
  });
  registry.add({
      .name = "count_class",
      .summary = "Number of code points of one class: alnum (str.isalnum), alpha (str.isalpha) or special.",
      .inputs = {Type::text},
      .output = Type::int64,
      .cost = 200,
      .make = [](const Params& params) { return counting(counter_of(params.get<std::string>("cls"))); },
  });
  registry.add({
      .name = "ratio",
      .summary = "One number divided by another; 0.0 where the second is 0.",
      .inputs = {Type::int64, Type::int64},
      .output = Type::double_,
      .make = [](const Params&) { return std::make_unique<Ratio>(); },
  });
  registry.add({
      .name = "lines",
      .summary = "Code points in each line as str.splitlines cuts them; empty text has no lines.",
      .inputs = {Type::text},
      .output = Type::number_list,
      .cost = 300,
      .make = [](const Params&) { return std::make_unique<Lines>(); },
  });
  registry.add({
      .name = "list_length",
      .summary = "Number of items of a list, of words, texts or numbers.",
      .inputs = {Type::text_list | Type::number_list | Type::counted_words},
      .output = Type::int64,
      .make = [](const Params&) { return std::make_unique<ListLength>(); },
  });
  registry.add({
      .name = "list_max",
      .summary = "Largest number of a list; 0 for an empty one.",
      .inputs = {Type::number_list},
      .output = Type::int64,
      .make = [](const Params&) { return std::make_unique<ListMax>(); },
  });
}

}  // namespace djfast
