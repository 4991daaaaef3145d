// Walks one JSON text, checking it as it goes; remembers what was wrong and where.
#pragma once

#include <string>
#include <string_view>

#include "djfast/json_lines.hpp"
#include "kernels/json/strings.hpp"

namespace djfast::json {

/// A key of an object and where its member starts.
struct Key {
  std::string_view body;  // between the quotes, escapes not resolved
  bool has_escape = false;
  const char* begin = nullptr;
};

/// A value that has been walked.
struct Value {
  Kind kind = Kind::missing;  // missing: it is broken
  bool has_escape = false;    // kind text only
};

/// Position in a text. Every step returns false (or a missing kind) when the text is not JSON, and `failure` says why.
///
/// `Members` hears about the members of an object: `open` when it starts, `find` for each key. What `find` returns is
/// null or hears `found` when the value has been walked, and its `members` hears about the value if that is an object.
class Cursor {
 public:
  /// `readable_end` is the end of readable memory, at or after the end of `text`. Bytes of `text` must be followed by
  /// a control character or by `readable_end`.
  Cursor(std::string_view text, const char* readable_end, const kernels::json::StringKernels& strings) noexcept
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), readable_end_(readable_end), strings_(strings) {}

  const char* at() const noexcept { return at_; }

  /// Why the text is broken.
  std::string failure() const {
    if (is_too_deep_) return "nested deeper than " + std::to_string(max_depth) + " levels";
    return std::string{"not valid JSON: "} + problem_ + " at byte " + std::to_string(at_ - begin_);
  }

  /// Walks the whole text, which must be one value.
  template <class Members>
  Value document(Members* members) {
    skip_space();
    const Value read = value(members, 0);
    if (read.kind == Kind::missing) return read;
    skip_space();
    if (at_ == end_) return read;
    fail(*at_ == ',' ? "expected the end of the line, not a comma" : "expected the end of the line");
    return {};
  }

  /// Walks the value that starts here, inside `depth` arrays and objects.
  template <class Members>
  Value value(Members* members, int depth) {
    if (at_ == end_) return broken("expected a value");
    switch (*at_) {
      case '"': {
        ++at_;
        bool has_escape = false;
        return text(has_escape) ? Value{Kind::text, has_escape} : Value{};
      }
      case '{': return object(members, depth + 1) ? Value{Kind::object} : Value{};
      case '[': return array(depth + 1) ? Value{Kind::array} : Value{};
      case 't': return word("true", Kind::boolean);
      case 'f': return word("false", Kind::boolean);
      case 'n': return word("null", Kind::null);
      case 'N': return word("NaN", Kind::number);
      case 'I': return word("Infinity", Kind::number);
      case '-':
        if (end_ - at_ > 1 && at_[1] == 'I') return word("-Infinity", Kind::number);
        [[fallthrough]];
      default: return number() ? Value{Kind::number} : Value{};
    }
  }

 private:
  bool fail(const char* problem) noexcept {
    problem_ = problem;
    return false;
  }
  Value broken(const char* problem) noexcept {
    problem_ = problem;
    return {};
  }

  bool is_on(char c) const noexcept { return at_ != end_ && *at_ == c; }
  bool is_on_digit() const noexcept { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; }

  void skip_space() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  /// Walks a string body and its closing quote.
  bool text(bool& has_escape) noexcept {
    using kernels::json::BodyEnd;
    using kernels::json::ShortChunk;
    // Most keys and many values end within one short chunk; the call of a kernel would cost more than the search.
    if (readable_end_ - at_ >= ShortChunk::width) {
      if (const auto mask = ShortChunk::specials(at_); mask != 0 && at_[ShortChunk::first(mask)] == '"') {
        at_ += ShortChunk::first(mask) + 1;
        return true;
      }
    }
    const char* opening = at_ - 1;
    const auto body = strings_.skip(at_, readable_end_);
    has_escape = body.has_escape;
    at_ = body.at;
    if (body.end == BodyEnd::quote) {
      ++at_;
      return true;
    }
    // The walk may have looked at bytes behind the text: a backslash at its very end escapes nothing of it.
    if (body.end == BodyEnd::bad_escape && end_ - at_ > 1) return fail("unknown escape in a string");
    if (body.end == BodyEnd::control_character && at_ < end_) return fail("control character in a string");
    at_ = opening;
    return fail("string without closing quote");
  }

  bool number() noexcept {
    const char* start = at_;
    if (*at_ == '-') ++at_;
    if (!is_on_digit()) {
      at_ = start;
      return fail("expected a value");
    }
    if (*at_ == '0') {
      ++at_;
    } else {
      while (is_on_digit()) ++at_;
    }
    if (is_on('.')) {
      ++at_;
      if (!is_on_digit()) return fail("expected a digit");
      while (is_on_digit()) ++at_;
    }
    if (is_on('e') || is_on('E')) {
      ++at_;
      if (is_on('+') || is_on('-')) ++at_;
      if (!is_on_digit()) return fail("expected a digit");
      while (is_on_digit()) ++at_;
    }
    return true;
  }

  Value word(std::string_view expected, Kind kind) noexcept {
    const auto left = static_cast<std::size_t>(end_ - at_);
    if (std::string_view{at_, left}.substr(0, expected.size()) != expected) return broken("expected a value");
    at_ += expected.size();
    return {kind};
  }

  bool too_deep() noexcept {
    is_too_deep_ = true;
    return false;
  }

  bool array(int depth);

  template <class Members>
  bool object(Members* members, int depth) {
    if (depth > max_depth) return too_deep();
    if (members != nullptr) members->open();
    ++at_;
    skip_space();
    if (is_on('}')) {
      ++at_;
      return true;
    }
    for (;;) {
      if (!is_on('"')) return fail("expected a key in quotes");
      Key key{.body = {}, .begin = at_++};
      if (!text(key.has_escape)) return false;
      key.body = {key.begin + 1, static_cast<std::size_t>(at_ - key.begin - 2)};
      skip_space();
      if (!is_on(':')) return fail("expected ':'");
      ++at_;
      skip_space();
      const char* start = at_;
      auto* wanted = members == nullptr ? nullptr : members->find(key);
      const Value read = value(wanted == nullptr ? nullptr : wanted->members(), depth);
      if (read.kind == Kind::missing) return false;
      if (wanted != nullptr) wanted->found(key, read, {start, static_cast<std::size_t>(at_ - start)});
      skip_space();
      if (is_on(',')) {
        ++at_;
        skip_space();
      } else if (is_on('}')) {
        ++at_;
        return true;
      } else {
        return fail("expected ',' or '}'");
      }
    }
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* readable_end_;
  const kernels::json::StringKernels& strings_;
  const char* problem_ = "";
  bool is_too_deep_ = false;
};

/// Members of objects that nobody asks for.
struct NoMembers {
  void open() noexcept {}
  NoMembers* find(const Key&) noexcept { return nullptr; }
  NoMembers* members() noexcept { return nullptr; }
  void found(const Key&, const Value&, std::string_view) noexcept {}
};

inline bool Cursor::array(int depth) {
  if (depth > max_depth) return too_deep();
  ++at_;
  skip_space();
  if (is_on(']')) {
    ++at_;
    return true;
  }
  for (;;) {
    if (value(static_cast<NoMembers*>(nullptr), depth).kind == Kind::missing) return false;
    skip_space();
    if (is_on(',')) {
      ++at_;
      skip_space();
    } else if (is_on(']')) {
      ++at_;
      return true;
    } else {
      return fail("expected ',' or ']'");
    }
  }
}

/// True when a key spells `name`, escapes resolved.
bool spells(const Key& key, std::string_view name, const kernels::json::StringKernels& strings);

}  // namespace djfast::json
