// Repair of broken Unicode, as ftfy.fix_text does it: native for the lines that need only its tables, ftfy itself for
// the few that need more.
//
// ftfy works line by line and repeats its fixes on a line until nothing changes. Here a line is *settled* when native
// code knows the outcome: no fix applies, or only those that look at single code points, and their result would not be
// changed again. All other lines are *hard*: they have an HTML entity that may be unescaped, a terminal escape, a C1
// control, a sequence that looks like mojibake, or a code point that normalization may change.
//
// Three functions share the work, so that a text is looked at once:
//   fix_lines    fixes the settled lines and puts a mark before each hard one
//   hard_lines   lists the marked lines, for `ftfy_lines`
//   merge_lines  puts ftfy's answers in their place
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"
#include "djfast/unicode.hpp"

namespace djfast {
namespace {

/// States of the mojibake detector: bit i is set when the alternative that element i belongs to has matched up to it.
struct States {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  constexpr bool any() const noexcept { return (low | high) != 0; }
  constexpr bool meets(States other) const noexcept { return ((low & other.low) | (high & other.high)) != 0; }
  constexpr bool within(States other) const noexcept { return ((low & ~other.low) | (high & ~other.high)) == 0; }

  /// The states after one more code point, whose `accepting` bits say which elements it satisfies.
  constexpr States advance(States first, States accepting) const noexcept {
    return {(low << 1 | first.low) & accepting.low, (high << 1 | low >> 63 | first.high) & accepting.high};
  }
};

/// What is known about a code point.
struct Record {
  States accepting;             // elements of the mojibake detector that accept it
  std::uint16_t output_begin;   // in `outputs`: what ftfy's tables make of it
  std::uint8_t output_size;
  std::uint8_t flags;           // see below
  std::uint8_t combining_class;

  static constexpr std::uint8_t changes = 16;    // the tables change it
  static constexpr std::uint8_t unsettled = 32;  // and change the result again
  static constexpr std::uint8_t plain = 64;      // nothing changes it, and no mojibake begins with it
};

#include "tables/ftfy.inc"

const Record& record_of_code_point(char32_t c) noexcept { return records[record_of[page_of[c >> 8]][c & 0xFF]]; }

/// The forms of normalization; their position is the bit of `Record::flags` that says that the quick check of the form
/// does not pass for sure.
constexpr std::array<std::string_view, 4> forms = {"NFC", "NFD", "NFKC", "NFKD"};

/// What a mark begins with. No settled line holds it: it is a control character that ftfy removes.
constexpr char mark = '\x01';

constexpr char32_t escape = 0x1B;  // begins a terminal escape

/// Bytes that decide about a line; a line without any is settled and unchanged.
constexpr bool decides(unsigned char byte) noexcept {
  if (byte >= 0x80 || byte == '&' || byte == 0x7F) return true;
  return byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\f';
}

constexpr auto deciding_bytes = kernels::ByteSet(decides);

/// Lines of more code points than this are cut by ftfy.
constexpr std::size_t max_line_code_points = 1'000'000;

bool is_entity_character(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Whether the ampersand at the text's front begins what ftfy may unescape: a character reference, or an entity whose
/// name it knows. Its pattern is `&#?[0-9A-Za-z]{1,24};`.
bool starts_with_entity(std::string_view text) noexcept {
  std::size_t begin = 1;
  if (begin < text.size() && text[begin] == '#') ++begin;
  std::size_t end = begin;
  while (end < text.size() && end - begin <= 24 && is_entity_character(text[end])) ++end;
  if (end == begin || end - begin > 24 || end == text.size() || text[end] != ';') return false;
  return begin == 2 || std::ranges::binary_search(entities, text.substr(begin, end - begin));
}

/// The mojibake detector on a stream of code points. ASCII alone never looks like mojibake: the generator of the table
/// checks it.
class Detector {
 public:
  bool idle() const noexcept { return !states_.any(); }

  /// Whether only the last few code points, all ASCII, have any influence on what follows.
  bool only_ascii_matters() const noexcept { return states_.within(ascii_prefix_states); }

  /// Takes one code point; false when the stream looks like mojibake.
  bool accept(const Record& record) noexcept {
    states_ = states_.advance(at_start_ ? first_states_at_start : first_states, record.accepting);
    at_start_ = false;
    return !states_.meets(last_states);
  }

  /// Forgets what came before, except that there was something.
  void restart_inside() noexcept {
    states_ = {};
    at_start_ = false;
  }

 private:
  States states_;
  bool at_start_ = true;
};

enum class Verdict { settled, hard };

/// Decides about the lines of one text and writes the result.
class LineFixer {
 public:
  LineFixer(std::string_view text, std::uint8_t form, Arena& arena) noexcept
      : text_(text), form_(form), deciding_(text, deciding_bytes), rewriting_(text, arena) {}

  std::string_view fix() {
    std::size_t line_begin = 0;
    for (std::size_t at = deciding_.next(0); at < text_.size();) {
      if (text_[at] == '&' && !is_unescaped(at)) {
        at = deciding_.next(at + 1);
        continue;
      }
      const std::size_t line_feed = text_.substr(line_begin, at - line_begin).rfind('\n');
      if (line_feed != std::string_view::npos) line_begin += line_feed + 1;
      const std::size_t line_end = end_of_line(at);
      write(line_begin, settle(line_begin, line_end));
      line_begin = line_end;
      at = deciding_.next(line_end);
    }
    return rewriting_.finish();
  }

 private:
  /// A code point that the tables change.
  struct Change {
    std::size_t begin;
    std::size_t end;
    std::string_view output;
  };

  void write(std::size_t line_begin, Verdict verdict) {
    if (verdict == Verdict::hard) {
      const char lead[] = {mark, first_tag() < line_begin ? '0' : '1'};
      rewriting_.replace(line_begin, line_begin, {lead, sizeof lead});
    } else {
      for (const Change& change : changes_) rewriting_.replace(change.begin, change.end, change.output);
    }
  }

  /// Decides about the line [begin, end). For a settled line, `changes_` holds what the tables change.
  Verdict settle(std::size_t begin, std::size_t end) {
    changes_.clear();
    if (end - begin > max_line_code_points && count_code_points(begin, end) > max_line_code_points) {
      return Verdict::hard;
    }
    const char* const data = text_.data();
    const char* const last = data + end;
    Detector before;             // sees the line as it is
    Detector after;              // sees the line as the tables leave it; in use while it may differ from `before`
    bool differ = false;
    std::uint8_t combining = 0;  // class of the last code point of the fixed line
    bool has_ampersand = false;
    std::size_t deciding = begin;  // no deciding byte lies between the current position and this one
    for (const char* at = data + begin; at != last;) {
      const auto byte = static_cast<unsigned char>(*at);
      if (byte < 0x80) {
        if (before.only_ascii_matters() && (!differ || after.only_ascii_matters())) {
          const auto position = static_cast<std::size_t>(at - data);
          if (deciding <= position) deciding = std::min(deciding_.next(position), end);
          if (deciding - position > ascii_prefix_length) {
            // Nothing happens up to there, and the detector remembers no more than a few ASCII characters.
            at = deciding == end ? last : data + (deciding - ascii_prefix_length);
            before.restart_inside();
            differ = false;
            combining = 0;
            continue;
          }
        }
      } else if (byte >= 0xE4 && byte <= 0xE9 && before.idle() && (!differ || after.idle())) {
        // Ideographs are plain; the generator of the table checks it.
        do at += 3;
        while (at != last && static_cast<unsigned char>(*at) >= 0xE4 && static_cast<unsigned char>(*at) <= 0xE9);
        before.restart_inside();
        differ = false;
        combining = 0;
        continue;
      }
      const std::size_t here = static_cast<std::size_t>(at - data);
      const char32_t c = unicode::next_code_point(at);
      const Record& record = record_of_code_point(c);
      if ((record.flags & Record::plain) != 0 && before.idle() && (!differ || after.idle())) {
        before.restart_inside();
        differ = false;
        combining = 0;
      } else {
        if ((record.flags & Record::changes) == 0) {
          if (!before.accept(record) || (differ && !after.accept(record))) return Verdict::hard;
          if (!stays_normalized(record, combining)) return Verdict::hard;
        } else {
          if (!differ) after = before;
          differ = true;
          if (!before.accept(record)) return Verdict::hard;
          if ((record.flags & Record::unsettled) != 0 || c == escape) return Verdict::hard;
          const bool before_line_feed = c == '\r' && at != last && *at == '\n';  // CRLF is one line break
          const char* output = reinterpret_cast<const char*>(outputs) + record.output_begin;
          const char* const output_end = output + (before_line_feed ? 0 : record.output_size);
          changes_.push_back({here, static_cast<std::size_t>(at - data), {output, output_end}});
          while (output != output_end) {
            const char32_t made = unicode::next_code_point(output);
            const Record& made_record = record_of_code_point(made);
            if (!after.accept(made_record) || !stays_normalized(made_record, combining)) return Verdict::hard;
            has_ampersand = has_ampersand || made == '&';
          }
        }
      }
      if (c == '&') {
        if (is_unescaped(here)) return Verdict::hard;
        has_ampersand = true;
      }
    }
    return has_ampersand && !changes_.empty() && changes_make_entity(begin, end) ? Verdict::hard : Verdict::settled;
  }

  /// The quick check of Unicode's normalization forms, one code point further.
  bool stays_normalized(const Record& record, std::uint8_t& combining) const noexcept {
    if ((record.flags >> form_ & 1) != 0) return false;
    if (record.combining_class != 0 && combining > record.combining_class) return false;
    combining = record.combining_class;
    return true;
  }

  /// Whether the line [begin, end), once changed, has an entity that ftfy's next round would unescape.
  bool changes_make_entity(std::size_t begin, std::size_t end) {
    if (first_tag() < end) return false;
    std::string fixed;
    for (const Change& change : changes_) {
      fixed += text_.substr(begin, change.begin - begin);
      fixed += change.output;
      begin = change.end;
    }
    fixed += text_.substr(begin, end - begin);
    for (std::size_t at = fixed.find('&'); at != std::string::npos; at = fixed.find('&', at + 1)) {
      if (starts_with_entity(std::string_view{fixed}.substr(at))) return true;
    }
    return false;
  }

  /// Whether an entity stands at the ampersand `at` that ftfy tries to unescape: with no '<' so far, nor in its line.
  bool is_unescaped(std::size_t at) noexcept {
    return starts_with_entity(text_.substr(at)) && first_tag() >= end_of_line(at);
  }

  /// End of the line around `at`, behind its line feed.
  std::size_t end_of_line(std::size_t at) noexcept {
    if (at < line_known_from_ || at >= line_end_) {
      const auto* found = static_cast<const char*>(std::memchr(text_.data() + at, '\n', text_.size() - at));
      line_known_from_ = at;
      line_end_ = found == nullptr ? text_.size() : static_cast<std::size_t>(found - text_.data()) + 1;
    }
    return line_end_;
  }

  /// Position of the text's first '<', or its size; looked for when first asked.
  std::size_t first_tag() noexcept {
    if (!first_tag_known_) first_tag_ = std::min(text_.find('<'), text_.size());
    first_tag_known_ = true;
    return first_tag_;
  }

  std::size_t count_code_points(std::size_t begin, std::size_t end) const noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(text_.substr(begin, end - begin),
                                                          [](char c) { return (c & 0xC0) != 0x80; }));
  }

  std::string_view text_;
  std::uint8_t form_;
  MarkedBytes deciding_;
  Rewriting rewriting_;
  std::vector<Change> changes_;
  std::size_t line_known_from_ = 0;
  std::size_t line_end_ = 0;
  bool first_tag_known_ = false;
  std::size_t first_tag_ = 0;
};

/// Visits the marked lines of a text that fix_lines made: `visit(begin, end)`, where the mark is at `begin` and two
/// bytes long.
template <class Visit>
void for_each_hard_line(std::string_view text, Visit visit) {
  for (std::size_t begin = text.find(mark); begin != std::string_view::npos;) {
    // A hard line may hold any character, the mark's too; it ends at its line feed.
    const std::size_t line_feed = text.find('\n', begin);
    const std::size_t end = line_feed == std::string_view::npos ? text.size() : line_feed + 1;
    visit(begin, end);
    begin = text.find(mark, end);
  }
}

class HardLines final : public Function {
 public:
  Column run(const Call& call) const override {
    const Texts& texts = call.texts(0);
    TextLists lines;
    lines.offsets.reserve(call.row_count + 1);
    lines.offsets.push_back(0);
    for (const std::uint32_t row : call.rows) {
      lines.offsets.resize(row + 1, lines.offsets.back());
      for_each_hard_line(texts[row], [&](std::size_t begin, std::size_t end) {
        lines.items.push_back(texts[row].substr(begin + 1, end - begin - 1));
      });
      lines.offsets.push_back(static_cast<std::uint32_t>(lines.items.size()));
    }
    lines.offsets.resize(call.row_count + 1, lines.offsets.back());
    return lines;
  }
};

class MergeLines final : public Function {
 public:
  Column run(const Call& call) const override {
    const Texts& originals = call.texts(0);
    const Texts& fixed = call.texts(1);
    const auto& answers = std::get<TextLists>(*call.arguments[2]);
    Texts merged(call.row_count);
    for (const std::uint32_t row : call.rows) {
      const auto begin = answers.items.begin() + answers.offsets[row];
      const auto end = answers.items.begin() + answers.offsets[row + 1];
      merged[row] = begin == end ? fixed[row] : merge(originals[row], fixed[row], {begin, end}, call.arena);
    }
    return merged;
  }

 private:
  static std::string_view merge(std::string_view original, std::string_view fixed,
                                std::span<const std::string_view> answers, Arena& arena) {
    Rewriting rewriting(fixed, arena);
    std::size_t used = 0;
    for_each_hard_line(fixed, [&](std::size_t begin, std::size_t end) {
      if (used == answers.size()) throw InternalError("merge_lines: fewer answers than hard lines");
      rewriting.replace(begin, end, answers[used++]);
    });
    if (used != answers.size()) throw InternalError("merge_lines: more answers than hard lines");
    const std::string_view merged = rewriting.finish();
    return merged == original ? original : merged;
  }
};

std::uint8_t form_named(const std::string& name) {
  const auto found = std::ranges::find(forms, name);
  if (found == forms.end()) throw UserError("normalization must be NFC, NFD, NFKC or NFKD, got " + name);
  return static_cast<std::uint8_t>(found - forms.begin());
}

}  // namespace

void register_repair(Registry& registry) {
  registry.add({
      .name = "fix_lines",
      .summary = "The text with those lines fixed that need only ftfy's tables, and a mark before the other ones.",
      .inputs = {Type::text},
      .output = Type::text,
      .make =
          [](const Params& params) {
            const std::uint8_t form = form_named(params.get<std::string>("normalization"));
            return per_text_rewrite(
                [form](std::string_view text, Arena& arena) { return LineFixer(text, form, arena).fix(); });
          },
  });
  registry.add({
      .name = "hard_lines",
      .summary = "The lines that fix_lines has marked, each after '1' if entities may be unescaped in it, else '0'.",
      .inputs = {Type::text},
      .output = Type::text_list,
      .make = [](const Params&) { return std::make_unique<HardLines>(); },
  });
  registry.add({
      .name = "merge_lines",
      .summary = "The fixed text of fix_lines (second) with the answers (third) in the place of its hard lines; the "
                 "original text (first) itself where nothing changed.",
      .inputs = {Type::text, Type::text, Type::text_list},
      .output = Type::text,
      .make = [](const Params&) { return std::make_unique<MergeLines>(); },
  });
}

}  // namespace djfast
