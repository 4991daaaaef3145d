#include "djfast/row_writer.hpp"

#include <array>

#include "djfast/json_lines.hpp"

namespace djfast {
namespace {

constexpr std::string_view stats_name = "__dj__stats__";
constexpr std::string_view meta_name = "__dj__meta__";

void append_digest(std::string& out, const Digests& digests, std::uint32_t row) {
  constexpr std::array<char, 16> hex = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  out += '"';
  for (std::size_t i = 0; i < digests.width; ++i) {
    const std::uint8_t byte = digests.bytes[row * digests.width + i];
    out += hex[byte >> 4];
    out += hex[byte & 15];
  }
  out += '"';
}

/// Appends the value of one row as JSON. Number lists are hashes: as decimal text, the form Data-Juicer keeps them in;
/// a list of one is that one.
struct AppendValue {
  std::string& out;
  std::uint32_t row;

  void operator()(const Texts& texts) const { json::append_text(out, texts[row]); }
  void operator()(const Int64s& values) const { json::append_number(out, values[row]); }
  void operator()(const Doubles& values) const { json::append_number(out, values[row]); }
  void operator()(const Booleans& values) const { out += values[row] != 0 ? "true" : "false"; }
  void operator()(const Digests& digests) const { append_digest(out, digests, row); }
  void operator()(const TextLists& lists) const {
    out += '[';
    for (auto at = lists.offsets[row]; at < lists.offsets[row + 1]; ++at) {
      if (at != lists.offsets[row]) out += ", ";
      json::append_text(out, lists.items[at]);
    }
    out += ']';
  }
  void operator()(const CountedWords& words) const {
    out += '[';
    for (const std::uint32_t number : words[row].numbers) {
      if (out.back() != '[') out += ", ";
      json::append_text(out, words[row].distinct[number]);
    }
    out += ']';
  }
  void operator()(const NumberLists& lists) const {
    const auto begin = lists.offsets[row];
    const auto end = lists.offsets[row + 1];
    if (end == begin) {
      out += "null";
    } else if (end - begin == 1) {
      out += '"' + std::to_string(lists.items[begin]) + '"';
    } else {
      for (auto at = begin; at < end; ++at) out += (at == begin ? "[\"" : ", \"") + std::to_string(lists.items[at]) + '"';
      out += ']';
    }
  }
};

/// Appends a value as JSON; nothing for an empty value that is JSON already.
template <class Entry>
void append_value(std::string& out, const Batch& batch, const Entry& entry, std::uint32_t row) {
  if (entry.is_json) {
    out += std::get<Texts>(batch.column(entry.slot))[row];
  } else {
    std::visit(AppendValue{out, row}, batch.column(entry.slot));
  }
}

/// The object of a field with computed members. Existing members win over computed ones. JSON members are the exception:
/// `stat_or` has already chosen, so their slot is written as it is. Empty if there is not an object.
std::string merged_object(const Batch& batch, const json::Field& before, const std::vector<RowLayout::Stat>& computed,
                          std::uint32_t row) {
  if (computed.empty()) return std::string{before.raw};
  if (before.kind == json::Kind::object) {
    Arena arena;
    std::vector<json::Field> fields;
    fields.reserve(computed.size());  // changes point into it
    std::vector<std::string> values(computed.size());
    std::vector<json::Change> changes;
    for (std::size_t i = 0; i < computed.size(); ++i) {
      fields.push_back(json::find_member(before.raw, computed[i].name, arena));
      if (fields.back().kind != json::Kind::missing && !computed[i].is_json) continue;
      append_value(values[i], batch, computed[i], row);
      if (!values[i].empty() && values[i] != fields.back().raw) changes.push_back({&fields.back(), computed[i].name, values[i]});
    }
    std::string merged;
    json::append_line(merged, before.raw, changes);
    return merged;
  }
  std::string object = "{";
  std::string value;
  for (const auto& entry : computed) {
    value.clear();
    append_value(value, batch, entry, row);
    if (value.empty()) continue;
    if (object.size() > 1) object += ", ";
    json::append_text(object, entry.name);
    object += ": ";
    object += value;
  }
  object += '}';
  return object;
}

/// Equal texts, most of which are one: rewriting functions hand back the view that they got.
bool is_same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.data() == b.data() || a == b);
}

/// The column of an assigned field that is a text, and becomes a JSON string; null for others.
const Texts* texts_of(const Batch& batch, const RowLayout::Value& value) {
  return value.is_json ? nullptr : std::get_if<Texts>(&batch.column(value.slot));
}

const json::Field* field_of(const Batch& batch, std::int32_t field, std::uint32_t row) {
  static const json::Field missing;
  return field < 0 ? &missing : &batch.lines().fields[static_cast<std::size_t>(field)][row];
}

/// The lines of one batch under construction; buffers are reused from row to row.
class RowWriter {
 public:
  RowWriter(const Batch& batch, const RowLayout& layout) : batch_(batch), layout_(layout) {
    values_.resize(layout.values.size());
  }

  WrittenRows write() {
    std::size_t line_bytes = 0;
    for (const std::uint32_t row : batch_.alive()) line_bytes += batch_.lines().lines[row].size() + 1;
    written_.rows.bytes.reserve(line_bytes + line_bytes / 8);
    written_.rows.ends.reserve(batch_.alive().size());
    for (const std::uint32_t row : batch_.alive()) {
      stats_ = stats_object(batch_, layout_, row);
      tags_ = merged_object(batch_, *field_of(batch_, layout_.meta_field, row), layout_.tags, row);
      changes_.clear();
      change_values(row);
      change_stats(row);
      for (const std::int32_t field : layout_.dropped) drop(field_of(batch_, field, row));
      json::append_line(written_.rows.bytes, batch_.lines().lines[row], changes_);
      finish(written_.rows);
      if (layout_.has_side_lines) write_side();
    }
    return std::move(written_);
  }

 private:
  void change_values(std::uint32_t row) {
    for (std::size_t i = 0; i < layout_.values.size(); ++i) {
      const auto& value = layout_.values[i];
      const json::Field* field = field_of(batch_, value.field, row);
      if (const Texts* texts = texts_of(batch_, value)) {
        const std::string_view text = (*texts)[row];
        if (field->kind == json::Kind::text && !field->is_repeated && is_same(field->text, text)) continue;
        changes_.push_back({field, value.name, text, true});
        continue;
      }
      values_[i].clear();
      append_value(values_[i], batch_, value, row);
      if (values_[i].empty() || (!field->is_repeated && values_[i] == field->raw)) continue;
      changes_.push_back({field, value.name, values_[i]});
    }
  }

  void change_stats(std::uint32_t row) {
    const json::Field* stats = field_of(batch_, layout_.stats_field, row);
    const json::Field* meta = field_of(batch_, layout_.meta_field, row);
    if (!layout_.embeds_stats) {
      drop(stats);
      drop(meta);
      return;
    }
    if (!stats_.empty() && stats_ != stats->raw) changes_.push_back({stats, stats_name, stats_});
    if (!tags_.empty() && tags_ != meta->raw) changes_.push_back({meta, meta_name, tags_});
  }

  void drop(const json::Field* field) {
    if (field->kind != json::Kind::missing) changes_.push_back({field, {}, {}});
  }

  void write_side() {
    std::string& out = written_.side.bytes;
    out += "{\"";
    out += stats_name;
    out += "\": ";
    out += stats_.empty() ? "{}" : stats_;
    if (!tags_.empty()) {
      out += ", \"";
      out += meta_name;
      out += "\": ";
      out += tags_;
    }
    out += '}';
    finish(written_.side);
  }

  static void finish(WrittenLines& lines) {
    lines.bytes += '\n';
    lines.ends.push_back(lines.bytes.size());
  }

  const Batch& batch_;
  const RowLayout& layout_;
  WrittenRows written_;
  std::string stats_;
  std::string tags_;
  std::vector<std::string> values_;
  std::vector<json::Change> changes_;
};

}  // namespace

std::string stats_object(const Batch& batch, const RowLayout& layout, std::uint32_t row) {
  return merged_object(batch, *field_of(batch, layout.stats_field, row), layout.stats, row);
}

WrittenRows write_rows(const Batch& batch, const RowLayout& layout) { return RowWriter{batch, layout}.write(); }

}  // namespace djfast
