// Reads the touched fields of JSON lines.
#include <algorithm>
#include <deque>
#include <memory>

#include "cpp/json/cursor.hpp"
#include "djfast/unicode.hpp"

namespace djfast::json {
namespace {

using kernels::json::StringKernels;

class WantedObject;

/// A key that some path names, with what the current line has under it. Kept as single words: a line is often over
/// before its stores have left the processor, and a wider load of them would have to wait.
struct WantedKey {
  std::string name;
  std::unique_ptr<WantedObject> inner;  // keys wanted in the value when it is an object
  Value value;
  bool is_repeated = false;
  const char* begin = nullptr;  // of the member
  const char* start = nullptr;  // of the value
  const char* end = nullptr;

  WantedObject* members() const noexcept { return inner.get(); }

  bool is_missing() const noexcept { return value.kind == Kind::missing; }

  void found(const Key& key, const Value& read, std::string_view raw) noexcept {
    is_repeated = !is_missing();
    value = read;
    begin = key.begin;
    start = raw.data();
    end = raw.data() + raw.size();
  }

  /// The field without the text of its value.
  Field field() const noexcept {
    if (is_missing()) return {};
    return {.kind = value.kind, .raw = {start, end}, .member = {begin, end}, .text = {}, .is_repeated = is_repeated};
  }
};

/// The keys wanted in one object.
class WantedObject {
 public:
  explicit WantedObject(const StringKernels& strings) noexcept : strings_(strings) {}

  WantedKey& add(std::string_view name) {
    for (auto& key : keys_) {
      if (key.name == name) return key;
    }
    return keys_.emplace_back(WantedKey{.name = std::string{name}, .inner = {}, .value = {}});
  }

  void open() noexcept {
    for (auto& key : keys_) key.value.kind = Kind::missing;
  }

  WantedKey* find(const Key& key) {
    for (auto& wanted : keys_) {
      if (key.has_escape ? spells(key, wanted.name, strings_) : key.body == wanted.name) return &wanted;
    }
    return nullptr;
  }

 private:
  std::deque<WantedKey> keys_;  // paths hold pointers to them
  const StringKernels& strings_;
};

/// Where the value of one path may stand: under its whole name, or under the rest of it in the object that its first
/// component names, and so on inwards.
class Path {
 public:
  Path(std::string_view name, WantedObject& root, const StringKernels& strings) {
    for (WantedObject* object = &root;;) {
      WantedKey& whole = object->add(name);
      const auto dot = name.find('.');
      if (dot == std::string_view::npos) {
        steps_.push_back({.whole = &whole, .first = nullptr});
        return;
      }
      WantedKey& first = object->add(name.substr(0, dot));
      steps_.push_back({.whole = &whole, .first = &first});
      if (first.inner == nullptr) first.inner = std::make_unique<WantedObject>(strings);
      object = first.inner.get();
      name.remove_prefix(dot + 1);
    }
  }

  /// What the current line has; null when nothing.
  const WantedKey* find() const noexcept {
    for (const auto& [whole, first] : steps_) {
      if (!whole->is_missing()) return whole;
      if (first == nullptr || first->value.kind != Kind::object) return nullptr;
    }
    return nullptr;
  }

  /// Whether the key of an object around what `find` found occurs more than once.
  bool is_in_repeated() const noexcept {
    for (const auto& [whole, first] : steps_) {
      if (!whole->is_missing() || first == nullptr) return false;
      if (first->is_repeated) return true;
    }
    return false;
  }

 private:
  struct Step {
    WantedKey* whole;
    WantedKey* first;
  };
  std::vector<Step> steps_;
};

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

bool is_blank(std::string_view line) noexcept { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// Bytes of `text` that are well-formed UTF-8 before the first code point that is not.
std::size_t valid_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  for (std::size_t length = 1; at < text.size(); at += length) {
    const auto lead = static_cast<unsigned char>(text[at]);
    length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length > 1 && !unicode::is_valid_utf8(text.substr(at, length))) return at;
  }
  return text.size();
}

const char* name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::null: return "null";
    case Kind::boolean: return "a boolean";
    case Kind::number: return "a number";
    case Kind::text: return "a string";
    case Kind::array: return "an array";
    case Kind::object: return "an object";
    case Kind::missing: break;
  }
  return "nothing";
}

/// The value of a string; a null view when it has a lone surrogate.
std::string_view text_of(const WantedKey& key, const char* readable_end, const StringKernels& strings, Arena& arena) {
  const std::string_view body{key.start + 1, key.end - 1};
  if (!key.value.has_escape) return body;
  static_assert(kernels::json::slack <= 64, "an arena promises 64 bytes behind each allocation");
  char* out = arena.reserve(body.size());
  const char* end = strings.unescape(body.data(), readable_end, out);
  if (end == nullptr) return {};
  const auto size = static_cast<std::size_t>(end - out);
  arena.commit(size);
  return {out, size};
}

/// Reads one line after the other into `Lines`.
class LineReader {
 public:
  LineReader(std::string_view block, std::span<const std::string> paths, Arena& arena)
      : block_end_(block.data() + block.size()), names_(paths), arena_(arena), root_(strings_) {
    for (const auto& path : paths) paths_.emplace_back(path, root_, strings_);
    lines_.fields.resize(paths.size());
  }

  /// Reads the lines of `segment`, which ends with a line feed or with the block.
  void read_segment(std::string_view segment) {
    const bool is_valid = unicode::is_valid_utf8(segment);
    if (lines_.line_count == 0) reserve(segment);
    while (!segment.empty()) {
      const auto feed = std::min(segment.find('\n'), segment.size());
      read_line(segment.substr(0, feed), is_valid);
      segment.remove_prefix(std::min(feed + 1, segment.size()));
    }
  }

  Lines take() && { return std::move(lines_); }

 private:
  /// Makes room for the lines of the block, judged by the lines of its first segment.
  void reserve(std::string_view segment) {
    const auto lines = static_cast<std::size_t>(std::ranges::count(segment, '\n')) + 1;
    const auto segments = static_cast<std::size_t>(block_end_ - segment.data()) / segment.size() + 1;
    const std::size_t expected = lines * segments * 9 / 8;
    lines_.lines.reserve(expected);
    lines_.numbers.reserve(expected);
    for (auto& column : lines_.fields) column.reserve(expected);
  }

  void read_line(std::string_view line, bool is_valid) {
    const std::uint32_t number = lines_.line_count++;
    if (line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (is_blank(line)) return;
    lines_.lines.push_back(line);
    lines_.numbers.push_back(number);
    if (!is_valid) {
      if (const auto good = valid_prefix(line); good != line.size()) {
        return reject("not valid UTF-8 at byte " + std::to_string(good));
      }
    }
    Cursor cursor(line, block_end_, strings_);
    const Value value = cursor.document(&root_);
    if (value.kind == Kind::missing) return reject(cursor.failure());
    if (value.kind != Kind::object) return reject(std::string{"not a JSON object: "} + name_of(value.kind));
    for (std::size_t path = 0; path < paths_.size(); ++path) {
      const WantedKey* key = paths_[path].find();
      Field& field = lines_.fields[path].emplace_back(key == nullptr ? Field{} : key->field());
      if (key != nullptr && paths_[path].is_in_repeated()) field.is_repeated = true;
      if (field.kind != Kind::text) continue;
      field.text = text_of(*key, block_end_, strings_, arena_);
      if (field.text.data() == nullptr) {
        for (std::size_t before = 0; before <= path; ++before) lines_.fields[before].pop_back();
        return reject("field " + names_[path] + " has a lone surrogate escape, which is no character");
      }
    }
  }

  void reject(std::string reason) {
    for (auto& column : lines_.fields) column.emplace_back();
    lines_.errors.add(static_cast<std::uint32_t>(lines_.lines.size() - 1), std::move(reason));
  }

  const char* block_end_;
  std::span<const std::string> names_;
  Arena& arena_;
  const StringKernels& strings_ = kernels::json::string_kernels();
  WantedObject root_;
  std::vector<Path> paths_;
  Lines lines_;
};

}  // namespace

bool spells(const Key& key, std::string_view name, const StringKernels& strings) {
  if (!key.has_escape) return key.body == name;
  std::string value(key.body.size() + kernels::json::slack, '\0');
  const char* readable_end = key.body.data() + key.body.size() + 1;  // the closing quote
  const char* end = strings.unescape(key.body.data(), readable_end, value.data());
  return end != nullptr && std::string_view{value.data(), end} == name;
}

Lines read_lines(std::string_view block, std::span<const std::string> paths, Arena& arena) {
  // Bytes are validated in pieces that stay in the nearest cache until their lines are walked.
  constexpr std::size_t segment_bytes = 16 << 10;
  LineReader reader(block, paths, arena);
  while (!block.empty()) {
    const auto feed = block.find('\n', std::min(segment_bytes, block.size()));
    const std::size_t size = feed == std::string_view::npos ? block.size() : feed + 1;
    reader.read_segment(block.substr(0, size));
    block.remove_prefix(size);
  }
  return std::move(reader).take();
}

bool is_value(std::string_view text) {
  Cursor cursor(text, text.data() + text.size(), kernels::json::string_kernels());
  return cursor.document(static_cast<NoMembers*>(nullptr)).kind != Kind::missing;
}

std::size_t complete_lines(std::string_view block) noexcept { return block.rfind('\n') + 1; }

Field find_member(std::string_view object, std::string_view key, Arena& arena) {
  if (!object.starts_with('{')) return {};
  const auto& strings = kernels::json::string_kernels();
  const char* readable_end = object.data() + object.size();
  WantedObject wanted(strings);
  const WantedKey& found = wanted.add(key);
  Cursor(object, readable_end, strings).document(&wanted);
  Field field = found.field();
  if (field.kind == Kind::text) field.text = text_of(found, readable_end, strings, arena);
  return field;
}

std::vector<std::string_view> find_elements(std::string_view array) {
  const char* end = array.data() + array.size();
  std::vector<std::string_view> elements;
  for (const char* at = array.data() + 1;;) {
    const auto skipped = std::string_view{at, end}.find_first_not_of(" \t\r\n,");
    if (skipped == std::string_view::npos) throw InternalError("elements are asked of a value that is not a JSON array");
    at += skipped;
    if (*at == ']') return elements;
    Cursor cursor({at, end}, end, kernels::json::string_kernels());
    if (cursor.value(static_cast<NoMembers*>(nullptr), 0).kind == Kind::missing) {
      throw InternalError("elements are asked of a broken JSON array");
    }
    elements.emplace_back(at, cursor.at());
    at = cursor.at();
  }
}

}  // namespace djfast::json
