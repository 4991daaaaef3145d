// Removal of lines that look like rows of a table, by Data-Juicer's pattern: exact, and linear in the length of the text.
//
//   (?<=\n)((\S+?)([ |\t](\S+?)){n}\n+){2,}      for each number of separators n in turn
//
// A row is a whole line: n separators, each of one character, between cells without white space. Spaces and tabs are
// always separators, so no two stand together or at an end. A '|' may be one or be part of a cell. Between two spaces or
// tabs, bars can separate where something remains on both sides: not as the first or last character, and no two
// neighbours. Of r neighbouring bars that are neither first nor last, up to (r + 1) / 2 can be separators, and every
// smaller number too. So a line is a row for all n from the number of its spaces and tabs up to that plus the most
// bars: an interval, which one look at the line tells.
//
// A match is a run of two or more rows, as long as possible; blank lines between and after them go with them. What is
// left are whole lines, so the turn for the next n needs no new look at the text.
#include <cstdint>
#include <string_view>
#include <vector>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/unicode.hpp"
#include "kernels/text/code_points.hpp"

namespace djfast {
namespace {

constexpr std::int64_t most_columns = 32;

/// White space and bars, or the first bytes of such.
constexpr auto first_bytes = kernels::ByteSet([](unsigned char byte) {
  return (byte >= '\t' && byte <= '\r') || byte == ' ' || byte == '|' || byte == 0xC2 ||
         (byte >= 0xE1 && byte <= 0xE3);
});

/// Lines of a text that are rows alike, with the blank lines after them; or any lines that are no rows.
struct Lines {
  std::size_t begin;
  std::size_t end;
  std::uint32_t separators;  // bit n: a row with n separators
};

/// Counts the bars of one cell, or of several that bars separate.
class Bars {
 public:
  void add(std::size_t at, std::size_t cell_begin) noexcept {
    if (at == cell_begin) return;
    if (run_ != 0 && at != last_ + 1) end_run();
    last_ = at;
    ++run_;
  }

  /// Called where the cell ends.
  void end_cell(std::size_t at) noexcept {
    if (run_ != 0 && last_ + 1 == at) --run_;
    end_run();
  }

  /// The most bars of all cells so far that can be separators.
  std::size_t most_separators() const noexcept { return separators_; }

 private:
  void end_run() noexcept {
    separators_ += (run_ + 1) / 2;
    run_ = 0;
  }

  std::size_t last_ = 0;
  std::size_t run_ = 0;  // neighbouring bars up to the last one
  std::size_t separators_ = 0;
};

class TableRows {
 public:
  explicit TableRows(const Params& params)
      : fewest_(params.get<std::int64_t>("min_col") - 1), most_(params.get<std::int64_t>("max_col") - 1) {
    if (fewest_ < 1 || most_ >= most_columns) throw InternalError("table rows have 2 to 32 columns");
    for (std::int64_t n = fewest_; n <= most_; ++n) wanted_ |= std::uint32_t{1} << n;
  }

  std::string_view operator()(std::string_view text, Arena& arena) const {
    thread_local std::vector<Lines> lines;
    find_lines(text, lines);
    std::uint32_t shared = shared_by_neighbours(lines);
    if (shared == 0) return text;
    for (std::int64_t n = fewest_; n <= most_; ++n) {
      if ((shared >> n & 1) == 0) continue;
      remove_runs(lines, std::uint32_t{1} << n);
      shared = shared_by_neighbours(lines);
    }
    Rewriting rewriting(text, arena);
    std::size_t kept_end = 0;
    for (const Lines& each : lines) {
      if (each.begin != kept_end) rewriting.replace(kept_end, each.begin, {});
      kept_end = each.end;
    }
    if (kept_end != text.size()) rewriting.replace(kept_end, text.size(), {});
    return rewriting.finish();
  }

 private:
  /// Cuts the text into lines. The first one has no line feed before it and is no row, like the last one without any
  /// after it.
  void find_lines(std::string_view text, std::vector<Lines>& lines) const {
    MarkedBytes marked(text, first_bytes);
    lines.assign(1, {0, after_line_feeds(text, text.find('\n')), 0});
    while (lines.back().end < text.size()) {
      const std::size_t begin = lines.back().end;
      std::size_t at = begin;
      std::uint32_t separators = separators_of(text, at, marked);
      const std::size_t line_end = at < text.size() && text[at] == '\n' ? at : text.find('\n', at);
      if (line_end == std::string_view::npos) separators = 0;
      const std::size_t end = after_line_feeds(text, line_end);
      if (separators == 0 && lines.back().separators == 0) {
        lines.back().end = end;
      } else {
        lines.push_back({begin, end, separators});
      }
    }
  }

  static std::size_t after_line_feeds(std::string_view text, std::size_t at) noexcept {
    while (at < text.size() && text[at] == '\n') ++at;
    return std::min(at, text.size());
  }

  /// For which n the line at `at` is a row; moves to where that is known, at most to the line's end.
  std::uint32_t separators_of(std::string_view text, std::size_t& at, MarkedBytes& marked) const noexcept {
    std::size_t cell = at;  // begin
    std::int64_t spaces = 0;
    Bars bars;
    for (;; ++at) {
      at = marked.next(at);
      if (at == text.size()) return 0;
      const char c = text[at];
      if (c == '|') {
        bars.add(at, cell);
      } else if (c == ' ' || c == '\t' || c == '\n') {
        if (at == cell) return 0;
        bars.end_cell(at);
        if (c == '\n') break;
        cell = at + 1;
        if (++spaces > most_) return 0;
      } else {
        const char* begin = text.data() + at;
        if ((kernels::text::class_bits(unicode::next_code_point(begin)) & unicode::regex_space) != 0) return 0;
      }
    }
    const std::size_t most = std::min(static_cast<std::size_t>(most_), static_cast<std::size_t>(spaces) + bars.most_separators());
    const std::uint64_t up_to_most = (std::uint64_t{2} << most) - 1;
    return static_cast<std::uint32_t>(up_to_most & ~((std::uint64_t{1} << spaces) - 1)) & wanted_;
  }

  static std::uint32_t shared_by_neighbours(const std::vector<Lines>& lines) noexcept {
    std::uint32_t shared = 0;
    for (std::size_t i = 1; i < lines.size(); ++i) shared |= lines[i - 1].separators & lines[i].separators;
    return shared;
  }

  /// Removes each run of two or more rows.
  static void remove_runs(std::vector<Lines>& lines, std::uint32_t separators) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < lines.size();) {
      std::size_t run_end = i;
      while (run_end < lines.size() && (lines[run_end].separators & separators) != 0) ++run_end;
      if (run_end - i >= 2) {
        i = run_end;
      } else {
        lines[kept++] = lines[i++];
      }
    }
    lines.resize(kept);
  }

  std::int64_t fewest_;
  std::int64_t most_;
  std::uint32_t wanted_ = 0;  // bit n: rows with n separators are looked for
};

}  // namespace

void register_table_text(Registry& registry) {
  registry.add({
      .name = "remove_table_text",
      .summary = "The text without runs of two or more lines that have the same number of cells, from `min_col` to "
                 "`max_col`.",
      .inputs = {Type::text},
      .output = Type::text,
      .make = [](const Params& params) { return per_text_rewrite(TableRows(params)); },
  });
}

}  // namespace djfast
