// Writes JSON values, and lines with some of their fields changed.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "cpp/json/cursor.hpp"

namespace djfast::json {
namespace {

/// Bytes of a line that something else takes the place of.
struct Edit {
  const char* begin;
  const char* end;
  std::string_view replacement;
  bool is_text = false;  // the replacement, as Change has it
};

/// The direct members of one object, as spans of the line.
struct MemberList {
  struct Member {
    Key key;
    std::string_view member;
    std::string_view value;
  };
  std::vector<Member> all;

  void open() noexcept {}
  MemberList* find(const Key&) noexcept { return this; }
  MemberList* members() noexcept { return nullptr; }
  void found(const Key& key, const Value&, std::string_view raw) {
    const char* end = raw.data() + raw.size();
    all.push_back({key, {key.begin, static_cast<std::size_t>(end - key.begin)}, raw});
  }
};

bool is_inside(const char* at, std::string_view span) noexcept {
  return at >= span.data() && at < span.data() + span.size();
}

/// The unescaped key of a member.
std::string key_of(std::string_view member) {
  const auto& strings = kernels::json::string_kernels();
  const char* end = member.data() + member.size();
  std::string name(member.size() + kernels::json::slack, '\0');
  const char* name_end = strings.unescape(member.data() + 1, end, name.data());
  if (name_end == nullptr) throw InternalError("a changed field has a key that is not Unicode");
  name.resize(static_cast<std::size_t>(name_end - name.data()));
  return name;
}

/// Appends every other member that has the key of `member`, in the object that it stands in, and every other one that has
/// the key of an object around it.
void find_repeats(std::string_view object, std::string_view member, std::vector<std::string_view>& repeats) {
  const auto& strings = kernels::json::string_kernels();
  for (bool is_found = false; !is_found;) {
    MemberList list;
    Cursor(object, object.data() + object.size(), strings).document(&list);
    const auto around =
        std::ranges::find_if(list.all, [&](const auto& each) { return is_inside(member.data(), each.member); });
    if (around == list.all.end()) throw InternalError("a changed field is not a member of its line");
    const std::string name = key_of(around->member);
    for (const auto& each : list.all) {
      if (each.member.data() != around->member.data() && spells(each.key, name, strings)) repeats.push_back(each.member);
    }
    is_found = around->member.data() == member.data();
    object = around->value;
  }
}

bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

const char* skip_space(const char* at, const char* end) noexcept {
  while (at != end && is_space(*at)) ++at;
  return at;
}

/// Moves back over white space, so that the byte before the result is none.
const char* skip_space_back(const char* at, const char* begin) noexcept {
  while (at != begin && is_space(at[-1])) --at;
  return at;
}

/// Turns members into cuts that leave the commas right. `members` stand in line order.
std::vector<Edit> cuts_of(std::string_view line, std::span<const std::string_view> members) {
  const char* line_end = line.data() + line.size();
  std::vector<Edit> cuts;
  for (const auto member : members) {
    const char* begin = member.data();
    const char* end = begin + member.size();
    if (const char* next = skip_space(end, line_end); next != line_end && *next == ',') {
      cuts.push_back({begin, skip_space(next + 1, line_end), {}});
      continue;
    }
    // The last member of its object goes with the comma before it; when the members before it go too, with theirs.
    while (!cuts.empty() && cuts.back().end == begin) {
      begin = cuts.back().begin;
      cuts.pop_back();
    }
    const char* before = skip_space_back(begin, line.data());
    cuts.push_back({before[-1] == ',' ? before - 1 : begin, end, {}});
  }
  return cuts;
}

void append_value(std::string& out, std::string_view value, bool is_text) {
  if (is_text) {
    append_text(out, value);
  } else {
    out += value;
  }
}

/// What goes at the end of the top-level object: the new fields of `changes`.
std::string additions(std::span<const Change> changes, bool is_first) {
  std::string added;
  for (const Change& change : changes) {
    if (change.field->kind != Kind::missing || change.removes()) continue;
    if (!is_first) added += ", ";
    is_first = false;
    append_text(added, change.name);
    added += ": ";
    append_value(added, change.value, change.is_text);
  }
  return added;
}

}  // namespace

void append_text(std::string& out, std::string_view text) {
  constexpr std::size_t piece_bytes = 8 << 10;
  constexpr std::size_t longest_escape = 6;
  std::array<char, piece_bytes * longest_escape + kernels::json::slack> room;
  const auto& strings = kernels::json::string_kernels();
  out += '"';
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    const std::string_view piece = text.substr(at, piece_bytes);
    const char* end = strings.escape(piece.data(), piece.data() + piece.size(), room.data());
    out.append(room.data(), static_cast<std::size_t>(end - room.data()));
  }
  out += '"';
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "Infinity" : "-Infinity";
    return;
  }
  // The notation follows Python's repr: an exponent below 1e-4 and from 1e16 on.
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e16);
  std::array<char, 32> room;
  char* end = std::to_chars(room.data(), room.data() + room.size(), value,
                            is_plain ? std::chars_format::fixed : std::chars_format::scientific).ptr;
  const std::string_view digits{room.data(), end};
  out += digits;
  if (is_plain && digits.find('.') == std::string_view::npos) out += ".0";
}

void append_number(std::string& out, std::int64_t value) {
  std::array<char, 24> room;
  out.append(room.data(), std::to_chars(room.data(), room.data() + room.size(), value).ptr);
}

void append_line(std::string& out, std::string_view line, std::span<const Change> changes) {
  std::vector<Edit> edits;
  std::vector<std::string_view> removed;
  bool has_additions = false;
  for (const Change& change : changes) {
    const Field* const field = change.field;
    if (field->kind == Kind::missing) {
      has_additions = has_additions || !change.removes();
      continue;
    }
    if (field->is_repeated) find_repeats(line, field->member, removed);
    if (change.removes()) {
      removed.push_back(field->member);
    } else {
      edits.push_back({field->raw.data(), field->raw.data() + field->raw.size(), change.value, change.is_text});
    }
  }
  const char* cut_until = nullptr;
  const char* cut_from = nullptr;
  if (!removed.empty()) {
    const auto place = [](std::string_view member) { return member.data(); };
    std::ranges::sort(removed, {}, place);
    const auto same = std::ranges::unique(removed, {}, place);
    removed.erase(same.begin(), same.end());
    const auto cuts = cuts_of(line, removed);
    cut_from = cuts.back().begin;
    cut_until = cuts.back().end;
    edits.insert(edits.end(), cuts.begin(), cuts.end());
  }
  std::string added;
  if (has_additions) {
    const char* closing = skip_space_back(line.data() + line.size(), line.data()) - 1;
    if (line.empty() || *closing != '}') throw InternalError("fields are added to a line that is not an object");
    const char* last = skip_space_back(closing, line.data());
    // Nothing is left before the closing brace when the object was empty or a cut reaches from brace to brace.
    const char* kept = cut_until == last ? skip_space_back(cut_from, line.data()) : last;
    added = additions(changes, kept[-1] == '{');
    edits.push_back({last, last, added});
  }
  std::ranges::stable_sort(edits, {}, &Edit::begin);
  const char* at = line.data();
  for (const auto& [begin, end, replacement, is_text] : edits) {
    out.append(at, begin);
    append_value(out, replacement, is_text);
    at = end;
  }
  out.append(at, line.data() + line.size());
}

}  // namespace djfast::json
