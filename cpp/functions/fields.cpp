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
    if constexpr (std::is_same_v<Values, TextLists>) {
      std::string json;
      for (const std::uint32_t row : call.rows) {
        json = "[";
        for (auto at = values.offsets[row]; at < values.offsets[row + 1]; ++at) {
          if (json.size() > 1) json += ", ";
          json::append_text(json, values.items[at]);
        }
        json += ']';
        written[row] = call.arena.copy(json);
      }
    } else if constexpr (requires(std::string& json) { append(json, values[0]); }) {
      std::string json;
      for (const std::uint32_t row : call.rows) {
        json.clear();
        append(json, values[row]);
        written[row] = call.arena.copy(json);
      }
    } else {
      throw InternalError("hashes and counted words are not written as JSON");
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

/// The text that a JSON value is.
class TextOf final : public Function {
 public:
  explicit TextOf(std::string path) : path_(std::move(path)) {}

  Column run(const Call& call) const override {
    Texts found = call.texts(0);
    std::string object;
    for (const std::uint32_t row : call.rows) {
      const std::string_view value = found[row];
      object.assign("{\"v\":").append(value).append("}");
      const json::Field field = json::find_member(call.arena.copy(object), "v", call.arena);
      if (value.empty() || field.kind != json::Kind::text || field.text.data() == nullptr) {
        const auto what = value.empty() ? "is missing" : "is not a string, got " + std::string{value.substr(0, 40)};
        call.errors.add(row, "field '" + path_ + "' " + what);
      } else {
        found[row] = field.text;
      }
    }
    return found;
  }

 private:
  std::string path_;
};

/// The first of two values that is there.
class JsonOr final : public Function {
 public:
  Column run(const Call& call) const override {
    Texts found = call.texts(0);
    const Texts& others = call.texts(1);
    for (const std::uint32_t row : call.rows) {
      if (found[row].empty()) found[row] = others[row];
    }
    return found;
  }
};

/// A member of a JSON object.
class Member final : public Function {
 public:
  explicit Member(std::string name) : name_(std::move(name)) {}

  Column run(const Call& call) const override {
    const Texts& objects = call.texts(0);
    Texts found(call.row_count);
    for (const std::uint32_t row : call.rows) {
      if (objects[row].starts_with('{')) found[row] = json::find_member(objects[row], name_, call.arena).raw;
    }
    return found;
  }

 private:
  std::string name_;
};

}  // namespace

void register_fields(Registry& registry) {
  registry.add({
      .name = "json_of",
      .summary = "A computed value of any single type as JSON.",
      .inputs = {Type::text | Type::int64 | Type::double_ | Type::boolean | Type::text_list},
      .output = Type::json,
      .make = [](const Params&) { return std::make_unique<JsonOf>(); },
  });
  registry.add({
      .name = "text_of",
      .summary = "The text that a JSON value is; a value of another type rejects its row.",
      .inputs = {Type::json},
      .output = Type::text,
      .may_reject = true,
      .make = [](const Params& params) { return std::make_unique<TextOf>(params.get<std::string>("path")); },
  });
  registry.add({
      .name = "json_or",
      .summary = "The first of two JSON values, or the second where there is no first.",
      .inputs = {Type::json, Type::json},
      .output = Type::json,
      .make = [](const Params&) { return std::make_unique<JsonOr>(); },
  });
  registry.add({
      .name = "member",
      .summary = "A member of a JSON object; nothing where the object has none of this name, or the value is not an object.",
      .inputs = {Type::json},
      .output = Type::json,
      .make = [](const Params& params) { return std::make_unique<Member>(params.get<std::string>("name")); },
  });
  registry.add({
      .name = "through_lists",
      .summary = "The JSON of a dotted field, or where there is none, of what its path leads to in the elements of lists.",
      .inputs = {Type::json, Type::json},
      .output = Type::json,
      .make = [](const Params& params) { return std::make_unique<ThroughLists>(params.get<std::string>("path")); },
  });
}

}  // namespace djfast
