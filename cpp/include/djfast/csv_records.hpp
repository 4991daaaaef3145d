// Records of comma- and tab-separated values: where they end, and which quotes are not closed.
#pragma once

#include <cstddef>
#include <string_view>

namespace djfast::csv {

/// What is at the beginning of a block of records.
struct Records {
  std::size_t end = 0;      // of the last whole record
  std::size_t count = 0;    // whole records; blank lines are none
  bool is_broken = false;   // the record at `end` has a quoted cell that does not end as one
};

/// Finds whole records. A quote counts where it begins a cell; inside a quoted cell two quotes are one, and line ends are
/// text. A quoted cell of several lines must be followed by a delimiter or the end of the line, spaces aside: otherwise, or
/// if the data ends inside it, its quote was never closed and took the lines behind it in. `is_last` says that the data ends
/// with the block; then its last record needs no line end. At most `most` records are looked for.
Records whole_records(std::string_view block, char delimiter, bool is_last, std::size_t most) noexcept;

}  // namespace djfast::csv
