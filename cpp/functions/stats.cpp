// Stats that a row brings along are not computed again.
#include <charconv>
#include <string>

#include "djfast/function.hpp"
#include "djfast/json_lines.hpp"

namespace djfast {
namespace {

/// Takes the stat out of the row's `__dj__stats__` object where it is there, else the computed value.
class StatOr final : public Function {
 public:
  StatOr(std::string name, bool is_json) : name_(std::move(name)), is_json_(is_json) {}

  Column run(const Call& call) const override {
    const Texts& objects = call.texts(0);
    Column values = *call.arguments[1];
    for (const std::uint32_t row : call.rows) {
      if (objects[row].empty() || objects[row].front() != '{') continue;
      const json::Field found = json::find_member(objects[row], name_, call.arena);
      if (found.kind != json::Kind::missing) take(call, found, row, values);
    }
    return values;
  }

 private:
  void take(const Call& call, const json::Field& found, std::uint32_t row, Column& values) const {
    const bool is_text = found.kind == json::Kind::text && found.text.data() != nullptr;
    if (auto* texts = std::get_if<Texts>(&values); texts != nullptr && (is_json_ || is_text)) {
      (*texts)[row] = is_json_ ? found.raw : found.text;
      return;
    }
    if (auto* truths = std::get_if<Booleans>(&values); truths != nullptr && found.kind == json::Kind::boolean) {
      (*truths)[row] = found.raw == "true" ? 1 : 0;
      return;
    }
    double number = 0;
    const char* end = found.raw.data() + found.raw.size();
    const bool is_number = found.kind == json::Kind::number &&
                           std::from_chars(found.raw.data(), end, number).ec == std::errc{};
    constexpr double beyond = 9223372036854775808.0;  // the first number above all 64-bit integers
    const bool is_integer = is_number && number >= -beyond && number < beyond;
    if (auto* doubles = std::get_if<Doubles>(&values); doubles != nullptr && is_number) {
      (*doubles)[row] = number;
    } else if (auto* integers = std::get_if<Int64s>(&values); integers != nullptr && is_integer) {
      (*integers)[row] = static_cast<std::int64_t>(number);
    } else {
      call.errors.add(row, "the row's own stat '" + name_ + "' cannot be used, got " + std::string{found.raw.substr(0, 40)});
    }
  }

  std::string name_;
  bool is_json_;
};

}  // namespace

void register_stats(Registry& registry) {
  registry.add({
      .name = "stat_or",
      .summary = "The stat that the row brought along, or the computed one where it has none.",
      .inputs = {Type::json, Type::text | Type::int64 | Type::double_ | Type::boolean | Type::json},
      .output = Type::double_,
      .may_reject = true,
      .make = [](const Params& params) { 
        return std::make_unique<StatOr>(params.get<std::string>("name"), params.get<bool>("is_json"));
      },
  });
}

}  // namespace djfast
