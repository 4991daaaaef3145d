// Conditions on numbers: what filters keep.
#include <limits>

#include "djfast/function.hpp"

namespace djfast {
namespace {

/// The interval test of filters. NaN lies in no interval, so a reversed range keeps it.
class InRange final : public Function {
 public:
  explicit InRange(const Params& params)
      : low_(params.has("low") ? params.number("low") : -std::numeric_limits<double>::infinity()),
        high_(params.has("high") ? params.number("high") : std::numeric_limits<double>::infinity()),
        has_low_(params.has("low")),
        has_high_(params.has("high")),
        low_closed_(params.get<bool>("low_closed")),
        high_closed_(params.get<bool>("high_closed")),
        reverse_(params.get<bool>("reverse")) {}

  Column run(const Call& call) const override {
    Booleans kept(call.row_count);
    const Column& values = *call.arguments[0];
    if (const auto* integers = std::get_if<Int64s>(&values)) {
      for (const auto row : call.rows) kept[row] = keeps(static_cast<double>((*integers)[row]));
    } else {
      const auto& doubles = std::get<Doubles>(values);
      for (const auto row : call.rows) kept[row] = keeps(doubles[row]);
    }
    return kept;
  }

 private:
  bool keeps(double value) const noexcept {
    const bool above = !has_low_ || (low_closed_ ? value >= low_ : value > low_);
    const bool below = !has_high_ || (high_closed_ ? value <= high_ : value < high_);
    return (above && below) != reverse_;
  }

  double low_;
  double high_;
  bool has_low_;
  bool has_high_;
  bool low_closed_;
  bool high_closed_;
  bool reverse_;
};

}  // namespace

void register_comparisons(Registry& registry) {
  registry.add({
      .name = "in_range",
      .summary = "True where a number lies in an interval (or outside, when reversed).",
      .inputs = {Type::int64 | Type::double_},
      .output = Type::boolean,
      .make = [](const Params& params) { return std::make_unique<InRange>(params); },
  });
}

}  // namespace djfast
