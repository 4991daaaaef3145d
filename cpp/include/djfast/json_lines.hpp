// JSON Lines that keep their JSON: only touched fields are read, the rest of a line stays bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "djfast/arena.hpp"
#include "djfast/errors.hpp"

namespace djfast::json {

enum class Kind : std::uint8_t { missing, null, boolean, number, text, array, object };

/// One touched field of one line.
struct Field {
  Kind kind = Kind::missing;
  std::string_view raw;     // the value as it stands in the line, quotes included; empty when missing
  std::string_view member;  // key, colon and value as they stand in the line; empty when missing
  std::string_view text;    // kind text: the unescaped value, in the line itself when it has no escape, else in the arena
  bool is_repeated = false; // its key, or that of an object around it, occurs more than once; this is the last one, which counts
};

/// The lines of a block, blank ones left out.
struct Lines {
  std::vector<std::string_view> lines;      // without line end and byte order mark; also of broken lines
  std::vector<std::uint32_t> numbers;       // 0-based number of each line in the block, blank lines counted
  std::uint32_t line_count = 0;             // lines of the block, blank ones included
  std::vector<std::vector<Field>> fields;   // [path][row]
  RowErrors errors;                         // rows whose line is not one JSON object in valid UTF-8, with the reason
};

/// Reads the lines of `block`, which must outlive the result. A path is a key, or keys joined by dots: the whole dotted
/// name is looked up as one key first, then the first component is descended into. Accepts what Python's `json.loads`
/// accepts (NaN and infinities included) when it gives an object, up to `max_depth` levels; the last of repeated keys counts.
/// A text with a lone surrogate escape in a touched field is an error of its row.
Lines read_lines(std::string_view block, std::span<const std::string> paths, Arena& arena);

inline constexpr int max_depth = 512;

/// Whether a text, which must be valid UTF-8, is one JSON value.
bool is_value(std::string_view text);

/// Bytes of `block` up to and including its last line feed; 0 when there is none.
std::size_t complete_lines(std::string_view block) noexcept;

/// Appends `text` as a JSON string with quotes. Only what JSON demands is escaped: quote, backslash, control characters.
void append_text(std::string& out, std::string_view text);

/// Appends a number so that it reads back as the same double; whole values keep ".0". NaN and infinities are written as
/// Python's json writes them.
void append_number(std::string& out, double value);
void append_number(std::string& out, std::int64_t value);

/// What happens to one field of a line when it is written back.
struct Change {
  const Field* field;      // as read from this line; its kind may be missing
  std::string_view name;   // key that a missing field gets, at the end of the top-level object
  std::string_view value;  // new JSON value; an empty view removes the field (all its occurrences)
  bool is_text = false;    // the value is not JSON but a text, which becomes a JSON string where it is written

  bool removes() const noexcept { return value.empty() && !is_text; }
};

/// Appends `line` with changes applied; untouched bytes are copied verbatim. Fields of different changes do not overlap.
void append_line(std::string& out, std::string_view line, std::span<const Change> changes);

/// The value of `key` in the JSON object `object` (as in Field::raw), as it stands there; missing kind when absent.
/// The text of a string with a lone surrogate escape is a null view.
Field find_member(std::string_view object, std::string_view key, Arena& arena);

/// The elements of the JSON array `array` (as in Field::raw), as they stand there.
std::vector<std::string_view> find_elements(std::string_view array);

}  // namespace djfast::json
