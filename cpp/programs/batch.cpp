#include "djfast/batch.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

namespace djfast {
namespace {

const char* spoken(json::Kind kind) {
  switch (kind) {
    case json::Kind::missing: return "is missing";
    case json::Kind::null: return "is null";
    case json::Kind::boolean: return "is not a string but a boolean";
    case json::Kind::number: return "is not a string but a number";
    case json::Kind::array: return "is not a string but a list";
    case json::Kind::object: return "is not a string but an object";
    case json::Kind::text: return "is a text";
  }
  return "is of unknown type";
}

struct Size {
  std::size_t operator()(const TextLists& lists) const noexcept { return entries(lists.offsets); }
  std::size_t operator()(const NumberLists& lists) const noexcept { return entries(lists.offsets); }
  std::size_t operator()(const Digests& digests) const noexcept {
    return digests.width == 0 ? 0 : digests.bytes.size() / digests.width;
  }
  template <class Value>
  std::size_t operator()(const std::vector<Value>& values) const noexcept {
    return values.size();
  }

  static std::size_t entries(const std::vector<std::uint32_t>& offsets) noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }
};

}  // namespace

Batch::Batch(std::size_t row_count, std::size_t slot_count) : row_count_(row_count), alive_(row_count), slots_(slot_count) {
  std::iota(alive_.begin(), alive_.end(), 0U);
}

std::size_t size_of(const Column& column) noexcept { return std::visit(Size{}, column); }

std::unique_ptr<Batch> Batch::from_json_lines(std::string_view block, std::span<const std::string> paths,
                                              std::size_t text_count, std::size_t slot_count, RowErrors unread) {
  Arena arena;
  json::Lines lines = json::read_lines(block, paths, arena);
  auto batch = std::make_unique<Batch>(lines.lines.size(), slot_count);
  batch->arena_ = std::move(arena);
  batch->lines_ = std::move(lines);
  batch->reject(std::move(unread), -1);
  batch->reject(std::exchange(batch->lines_.errors, {}), -1);
  RowErrors errors;
  for (std::size_t path = 0; path < paths.size(); ++path) {
    const auto& fields = batch->lines_.fields[path];
    const bool is_text = path < text_count;
    Texts values(batch->row_count_);
    for (const std::uint32_t row : batch->alive_) {
      const json::Field& field = fields[row];
      values[row] = is_text ? field.text : field.raw;
      if (is_text && field.kind != json::Kind::text) {
        errors.add(row, "field '" + paths[path] + "' " + spoken(field.kind));
      }
    }
    batch->slots_[path] = std::move(values);
  }
  batch->reject(std::move(errors), -1);
  return batch;
}

void Batch::reject(RowErrors errors, std::int32_t op) {
  if (errors.empty()) return;
  std::vector<RowErrors::Entry> entries = std::move(errors).take();
  std::ranges::stable_sort(entries, {}, &RowErrors::Entry::row);
  // A row may fail for two reasons in one step; the first one stands.
  const auto repeated = std::ranges::unique(entries, {}, &RowErrors::Entry::row);
  entries.erase(repeated.begin(), repeated.end());
  std::vector<std::uint32_t> left;
  auto entry = entries.begin();
  for (const std::uint32_t row : alive_) {
    while (entry != entries.end() && entry->row < row) ++entry;  // not alive
    if (entry == entries.end() || entry->row != row) {
      left.push_back(row);
    } else {
      rejections_.push_back({row, op, std::move(entry->reason)});
    }
  }
  alive_ = std::move(left);
}

void Batch::keep_only(const std::vector<std::uint32_t>& rows) {
  std::erase_if(alive_, [&](std::uint32_t row) { return std::ranges::find(rows, row) == rows.end(); });
}

void Batch::keep(const Booleans& kept) {
  std::erase_if(alive_, [&](std::uint32_t row) { return kept[row] == 0; });
}

}  // namespace djfast
