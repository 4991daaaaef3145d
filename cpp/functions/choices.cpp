// Conditions on texts and on conditions.
#include <set>
#include <string>

#include "djfast/function.hpp"

namespace djfast {
namespace {

class OneOf final : public Function {
 public:
  explicit OneOf(const std::vector<std::string>& values) : values_(values.begin(), values.end()) {}

  Column run(const Call& call) const override {
    const Texts& texts = call.texts(0);
    Booleans found(call.row_count);
    for (const auto row : call.rows) found[row] = values_.contains(texts[row]) ? 1 : 0;
    return found;
  }

 private:
  std::set<std::string, std::less<>> values_;
};

class And final : public Function {
 public:
  Column run(const Call& call) const override {
    const auto& first = std::get<Booleans>(*call.arguments[0]);
    const auto& second = std::get<Booleans>(*call.arguments[1]);
    Booleans both(call.row_count);
    for (const auto row : call.rows) both[row] = first[row] != 0 && second[row] != 0 ? 1 : 0;
    return both;
  }
};

}  // namespace

void register_choices(Registry& registry) {
  registry.add({
      .name = "one_of",
      .summary = "True where a text equals one of some values.",
      .inputs = {Type::text},
      .output = Type::boolean,
      .make = [](const Params& params) { return std::make_unique<OneOf>(params.get<std::vector<std::string>>("values")); },
  });
  registry.add({
      .name = "and",
      .summary = "True where both conditions are.",
      .inputs = {Type::boolean, Type::boolean},
      .output = Type::boolean,
      .make = [](const Params&) { return std::make_unique<And>(); },
  });
}

}  // namespace djfast
