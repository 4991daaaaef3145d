#include "djfast/csv_records.hpp"

#include <algorithm>
#include <cstdint>

namespace djfast::csv {
namespace {

constexpr std::size_t none = std::string_view::npos;

bool is_line_end(char byte) noexcept { return byte == '\n' || byte == '\r'; }

enum class Ending : std::uint8_t { closed, unknown, broken };

/// A quoted cell that begins at `at`; `at` goes behind its closing quote.
Ending skip_quoted(std::string_view block, std::size_t& at, char delimiter, bool is_last) noexcept {
  const std::size_t open = at;
  const Ending ending = is_last ? Ending::broken : Ending::unknown;
  std::size_t quote = open + 1;
  while (true) {
    quote = block.find('"', quote);
    if (quote == none) return ending;
    if (quote + 1 == block.size() || block[quote + 1] != '"') break;
    quote += 2;
  }
  at = quote + 1;
  if (at == block.size() && !is_last) return Ending::unknown;
  if (block.substr(open, quote - open).find_first_of("\r\n") == none) return Ending::closed;
  const std::size_t behind = std::min(block.find_first_not_of(' ', at), block.size());
  if (behind == block.size()) return is_last ? Ending::closed : Ending::unknown;
  return block[behind] == delimiter || is_line_end(block[behind]) ? Ending::closed : Ending::broken;
}

}  // namespace

Records whole_records(std::string_view block, char delimiter, bool is_last, std::size_t most) noexcept {
  Records records;
  std::size_t at = 0;
  bool begins_cell = true;
  while (at < block.size() && records.count < most) {
    const char byte = block[at];
    if (begins_cell && byte == '"') {
      const Ending ending = skip_quoted(block, at, delimiter, is_last);
      if (ending != Ending::closed) {
        records.is_broken = ending == Ending::broken;
        return records;
      }
      begins_cell = false;
      continue;
    }
    ++at;
    begins_cell = byte == delimiter;
    if (!is_line_end(byte)) continue;
    const std::size_t length = at - 1 - records.end;
    if (byte == '\r') {
      if (at == block.size() && !is_last) return records;  // its line feed may follow
      if (at < block.size() && block[at] == '\n') ++at;
    }
    records.count += length > 0 ? 1 : 0;
    records.end = at;
    begins_cell = true;
  }
  if (is_last && at == block.size() && records.end < at) {
    records.end = at;
    ++records.count;
  }
  return records;
}

}  // namespace djfast::csv
