// Fields of any JSON type, as the JSON that stands for them.
#include <string>

#include "djfast/function.hpp"
#include "djfast/json_lines.hpp"

namespace djfast {
namespace {

/// A computed value as JSON.
class JsonOf final : public Function {
 public:
  Column run(const Call& call) const override {
    Texts written(call.row_count);
    std::visit([&](const auto& values) { write(call, values, written); }, *call.arguments[0]);
    return written;
  }

 private:
  template <class Values>
  static void write(const Call& call, const Values& values, Texts& written) {
    if constexpr (requires(std::string& json) { append(json, values[0]); }) {
      std::string json;
      for (const std::uint32_t row : call.rows) {
        json.clear();
        append(json, values[row]);
        written[row] = call.arena.copy(json);
      }
    } else {
      throw InternalError("lists and digests are not written as JSON");
    }
  }

  static void append(std::string& json, std::string_view text) { json::append_text(json, text); }
  static void append(std::string& json, double number) { json::append_number(json, number); }
  static void append(std::string& json, std::int64_t number) { json::append_number(json, number); }
  static void append(std::string& json, std::uint8_t truth) { json += truth != 0 ? "true" : "false"; }
};

/// What a path leads to inside a value: lists are looked through element by element. Empty when it leads nowhere.
std::string look_through(std::string_view value, std::string_view path, Arena& arena) {
  if (value.starts_with('[')) {
    std::string found = "[";
    for (const auto element : json::find_elements(value)) {
      if (found.size() > 1) found += ',';
      const std::string inside = look_through(element, path, arena);
      found += inside.empty() ? "null" : inside;
    }
    return found + ']';
  }
  if (const auto whole = json::find_member(value, path, arena); whole.kind != json::Kind::missing) {
    return std::string{whole.raw};
  }
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) return {};
  return look_through(json::find_member(value, path.substr(0, dot), arena).raw, path.substr(dot + 1), arena);
}

/// The field of a dotted path where reading found one, else what the path leads to through lists.
class ThroughLists final : public Function {
 public:
  explicit ThroughLists(std::string path) : path_(std::move(path)) {}

  Column run(const Call& call) const override {
    Texts found = call.texts(0);
    const Texts& heads = call.texts(1);
    for (const std::uint32_t row : call.rows) {
      if (!found[row].empty() || heads[row].find('[') == std::string_view::npos) continue;
      found[row] = call.arena.copy(look_through(heads[row], path_, call.arena));
    }
    return found;
  }

 private:
  std::string path_;  // without the component that names the head
};

}  // namespace

void register_fields(Registry& registry) {
  registry.add({
      .name = "json_of",
      .summary = "A computed value of any single type as JSON.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params&) { return std::make_unique<JsonOf>(); },
  });
  registry.add({
      .name = "through_lists",
      .summary = "The JSON of a dotted field, or where there is none, of what its path leads to in the elements of lists.",
      .inputs = {Type::text, Type::text},
      .output = Type::text,
      .make = [](const Params& params) { return std::make_unique<ThroughLists>(params.get<std::string>("path")); },
  });
}

}  // namespace djfast
