// Batches, programs and written rows for the Python stage loop.
#include <algorithm>
#include <cstring>
#include <span>

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrow_c_data.hpp"
#include "conversions.hpp"
#include "djfast/batch.hpp"
#include "djfast/program.hpp"
#include "djfast/row_writer.hpp"

namespace djfast::python {
namespace {

/// A batch together with the Python objects whose bytes it points into.
struct OwnedBatch {
  std::unique_ptr<Batch> batch;
  std::vector<py::object> inputs;
};

std::string_view view_of(const py::bytes& bytes) {
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw py::error_already_set();
  return {data, static_cast<std::size_t>(size)};
}

using RowReasons = std::vector<std::pair<std::uint32_t, std::string>>;

RowErrors errors_of(const RowReasons& reasons) {
  RowErrors errors;
  for (const auto& [row, reason] : reasons) errors.add(row, reason);
  return errors;
}

OwnedBatch read_json_batch(const py::bytes& block, std::size_t end, const std::vector<std::string>& paths,
                           std::size_t text_count, std::size_t slot_count, const RowReasons& unread) {
  OwnedBatch owned{.batch = nullptr, .inputs = {block}};
  RowErrors errors = errors_of(unread);
  const std::string_view bytes = view_of(block).substr(0, end);
  {
    const py::gil_scoped_release unlocked;  // no Python object is touched below
    owned.batch = Batch::from_json_lines(bytes, paths, text_count, slot_count, std::move(errors));
  }
  return owned;
}

/// Columns of texts given as lists of str; None marks a row without one.
OwnedBatch batch_of_texts(const py::list& columns, std::size_t row_count, std::size_t slot_count) {
  OwnedBatch owned{.batch = std::make_unique<Batch>(row_count, slot_count), .inputs = {}};
  for (std::size_t slot = 0; slot < columns.size(); ++slot) {
    const auto values = columns[slot].cast<py::list>();
    if (values.size() != row_count) throw InternalError("a column has another number of rows than its batch");
    Texts texts(row_count);
    for (std::size_t row = 0; row < row_count; ++row) {
      if (values[row].is_none()) continue;
      Py_ssize_t size = 0;
      const char* data = PyUnicode_AsUTF8AndSize(py::object(values[row]).ptr(), &size);
      if (data == nullptr) throw py::error_already_set();
      texts[row] = owned.batch->arena().copy({data, static_cast<std::size_t>(size)});
    }
    owned.batch->set_column(slot, std::move(texts));
  }
  return owned;
}

/// Lets a column of pyarrow compare its buffers with what points into them: the C data interface does not tell their sizes.
void check_sizes(const py::object& column) {
  if (!py::hasattr(column, "validate")) return;
  try {
    column.attr("validate")();
  } catch (const py::error_already_set& error) {
    throw SchemaError(std::string{"a column is no valid Arrow data: "} + error.what());
  }
}

/// Columns of texts from anything with `__arrow_c_array__`; rows that are not valid UTF-8 are rejected.
OwnedBatch batch_of_arrow(const py::list& columns, std::size_t row_count, std::size_t slot_count) {
  OwnedBatch owned{.batch = std::make_unique<Batch>(row_count, slot_count), .inputs = {}};
  RowErrors errors;
  for (std::size_t slot = 0; slot < columns.size(); ++slot) {
    const py::object column = columns[slot];
    check_sizes(column);
    const ArrowCapsules capsules(column);
    owned.batch->set_column(slot, texts_of_arrow(capsules, row_count, errors));
    owned.inputs.insert(owned.inputs.end(), {capsules.schema, capsules.array});
  }
  owned.batch->reject(std::move(errors), -1);
  return owned;
}

void reject(OwnedBatch& owned, const RowReasons& errors, std::int32_t op) { owned.batch->reject(errors_of(errors), op); }

void count(OwnedBatch& owned, std::int32_t op, std::uint32_t rows_in, std::int64_t nanoseconds) {
  Batch& batch = *owned.batch;
  batch.count({op, rows_in, static_cast<std::uint32_t>(batch.alive().size()), nanoseconds});
}

/// Values of the alive rows as a Python list.
py::list values(const OwnedBatch& owned, std::size_t slot) {
  const Batch& batch = *owned.batch;
  const Column& column = batch.column(slot);
  if (size_of(column) != batch.row_count()) throw InternalError("a slot is read that was never computed");
  return to_list(column, batch.alive());
}

/// Alive rows whose list is not empty, and those lists.
/// Bytes of the texts of the alive rows.
std::vector<std::size_t> text_bytes(const OwnedBatch& owned, std::size_t slot) {
  const auto& texts = std::get<Texts>(owned.batch->column(slot));
  std::vector<std::size_t> sizes;
  for (const std::uint32_t row : owned.batch->alive()) sizes.push_back(texts[row].size());
  return sizes;
}

py::tuple filled_lists(const OwnedBatch& owned, std::size_t slot) {
  const Batch& batch = *owned.batch;
  const auto& lists = std::get<TextLists>(batch.column(slot));
  py::list rows;
  py::list items;
  for (const std::uint32_t row : batch.alive()) {
    if (lists.offsets[row] == lists.offsets[row + 1]) continue;
    py::list texts;
    for (auto at = lists.offsets[row]; at < lists.offsets[row + 1]; ++at) {
      texts.append(py::str(lists.items[at].data(), lists.items[at].size()));
    }
    rows.append(row);
    items.append(texts);
  }
  return py::make_tuple(rows, items);
}

/// Sets a slot from the values of some rows, ascending; other rows get an empty value. Returns (row, reason) of the rows whose
/// value is not of the type: they get an empty value, too, and are to be rejected.
py::list set_values(OwnedBatch& owned, std::size_t slot, const std::string& type, const std::vector<std::uint32_t>& rows,
                    const py::list& given) {
  Batch& batch = *owned.batch;
  if (given.size() != rows.size()) {
    throw InternalError("there must be a value for each of " + std::to_string(rows.size()) + " rows, got " + std::to_string(given.size()));
  }
  if (std::ranges::adjacent_find(rows, std::ranges::greater_equal{}) != rows.end() ||
      (!rows.empty() && rows.back() >= batch.row_count())) {
    throw InternalError("values are given for rows that do not ascend, or are not in the batch");
  }
  py::list errors;
  const auto taken = [&](std::size_t at, auto convert) {
    try {
      return convert(py::object(given[at]));
    } catch (const BadValue& bad) {
      errors.append(py::make_tuple(rows[at], bad.what()));
      return decltype(convert(py::object())){};
    }
  };
  if (type == "text_list") {
    TextLists lists;
    lists.offsets.assign(batch.row_count() + 1, 0);
    std::size_t at = 0;
    for (std::size_t row = 0; row < batch.row_count(); ++row) {
      if (at < rows.size() && rows[at] == row) {
        const auto items = taken(at++, [&](const py::object& value) { return as_texts(value, batch.arena()); });
        lists.items.insert(lists.items.end(), items.begin(), items.end());
      }
      lists.offsets[row + 1] = static_cast<std::uint32_t>(lists.items.size());
    }
    batch.set_column(slot, std::move(lists));
    return errors;
  }
  const auto fill = [&](auto column, auto convert) {
    column.resize(batch.row_count());
    for (std::size_t at = 0; at < rows.size(); ++at) column[rows[at]] = taken(at, convert);
    batch.set_column(slot, std::move(column));
  };
  if (type == "text") {
    fill(Texts{}, [&](const py::object& value) { return as_text(value, batch.arena()); });
  } else if (type == "json") {
    fill(Texts{}, [&](const py::object& value) { return as_json(value, batch.arena()); });
  } else if (type == "int64") {
    fill(Int64s{}, [](const py::object& value) { return as_number<std::int64_t>(value, "a 64-bit integer"); });
  } else if (type == "double") {
    fill(Doubles{}, [](const py::object& value) { return as_number<double>(value, "a number"); });
  } else if (type == "boolean") {
    fill(Booleans{}, [](const py::object& value) { return static_cast<std::uint8_t>(as_number<bool>(value, "a boolean") ? 1 : 0); });
  } else {
    throw InternalError("a Python function cannot give a column of type " + type);
  }
  return errors;
}

template <class Value>
py::bytes bytes_of(const std::vector<Value>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value)};
}

/// Keys of the alive rows, row after row, without those of rows that have none; and a presence mask, None when all have.
py::tuple keys(const OwnedBatch& owned, std::size_t slot) {
  const Batch& batch = *owned.batch;
  const auto& alive = batch.alive();
  if (const auto* digests = std::get_if<Digests>(&batch.column(slot))) {
    std::string packed;
    packed.reserve(alive.size() * digests->width);
    for (const auto row : alive) {
      packed.append(reinterpret_cast<const char*>(digests->bytes.data()) + row * digests->width, digests->width);
    }
    return py::make_tuple(py::bytes(packed), py::none());
  }
  const auto& lists = std::get<NumberLists>(batch.column(slot));
  std::vector<std::uint64_t> packed;
  std::vector<std::uint8_t> present;
  bool all_present = true;
  for (const auto row : alive) {
    const auto begin = lists.items.begin() + lists.offsets[row];
    const auto end = lists.items.begin() + lists.offsets[row + 1];
    packed.insert(packed.end(), begin, end);
    present.push_back(begin != end);
    all_present = all_present && begin != end;
  }
  return py::make_tuple(bytes_of(packed), all_present ? py::object(py::none()) : py::object(bytes_of(present)));
}

std::vector<RowLayout::Stat> stats_of(const py::handle& entries) {
  std::vector<RowLayout::Stat> stats;
  for (const auto& [name, slot, is_json] : entries.cast<std::vector<std::tuple<std::string, std::size_t, bool>>>()) {
    stats.push_back({name, slot, is_json});
  }
  return stats;
}

RowLayout layout_of(const py::dict& values) {
  RowLayout layout;
  for (const auto& [field, name, slot, is_json] :
       values["values"].cast<std::vector<std::tuple<std::int32_t, std::string, std::size_t, bool>>>()) {
    layout.values.push_back({field, name, slot, is_json});
  }
  layout.stats = stats_of(values["stats"]);
  layout.tags = stats_of(values["tags"]);
  layout.stats_field = values["stats_field"].cast<std::int32_t>();
  layout.meta_field = values["meta_field"].cast<std::int32_t>();
  layout.dropped = values["dropped"].cast<std::vector<std::int32_t>>();
  layout.embeds_stats = values["embeds_stats"].cast<bool>();
  layout.has_side_lines = values["has_side_lines"].cast<bool>();
  return layout;
}

/// Bytes that `fill(data)` writes, which does not have the interpreter's lock: other threads go on meanwhile.
template <class Fill>
py::bytes filled_bytes(std::size_t size, Fill fill) {
  auto bytes = py::reinterpret_steal<py::bytes>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
  if (!bytes) throw py::error_already_set();
  {
    const py::gil_scoped_release unlocked;  // nobody else knows the object yet
    fill(PyBytes_AS_STRING(bytes.ptr()));
  }
  return bytes;
}

py::bytes copied_bytes(const std::string& text) {
  return filled_bytes(text.size(), [&](char* out) { std::ranges::copy(text, out); });
}

/// (rows, row ends, side lines, side line ends); ends are bytes of uint64.
py::tuple write_json(const OwnedBatch& owned, const RowLayout& layout) {
  WrittenRows written;
  {
    const py::gil_scoped_release unlocked;  // no Python object is touched below
    written = write_rows(*owned.batch, layout);
  }
  return py::make_tuple(copied_bytes(written.rows.bytes), bytes_of(written.rows.ends), copied_bytes(written.side.bytes),
                        bytes_of(written.side.ends));
}

py::list stats_objects(const OwnedBatch& owned, const RowLayout& layout) {
  py::list objects;
  for (const auto row : owned.batch->alive()) objects.append(py::str(stats_object(*owned.batch, layout, row)));
  return objects;
}

/// The lines whose mask byte is set, of lines given by their ends.
py::bytes select_lines(const py::bytes& lines, const py::bytes& ends, const py::bytes& mask, std::size_t first) {
  const std::string_view bytes = view_of(lines);
  const std::string_view end_bytes = view_of(ends);
  const std::string_view kept = view_of(mask);
  const std::size_t count = end_bytes.size() / sizeof(std::uint64_t);
  if (end_bytes.size() % sizeof(std::uint64_t) != 0) throw InternalError("line ends are not 64-bit numbers");
  if (first > kept.size() || count > kept.size() - first) throw InternalError("a mask is shorter than its lines");
  std::vector<std::string_view> selected;
  std::size_t size = 0;
  std::uint64_t begin = 0;
  for (std::size_t line = 0; line < count; ++line) {
    std::uint64_t end = 0;
    std::memcpy(&end, end_bytes.data() + line * sizeof end, sizeof end);
    if (end < begin || end > bytes.size()) throw InternalError("line ends are not ascending");
    if (kept[first + line] != 0) {
      selected.push_back(bytes.substr(begin, end - begin));
      size += end - begin;
    }
    begin = end;
  }
  return filled_bytes(size, [&](char* out) {
    for (const std::string_view line : selected) out = std::ranges::copy(line, out).out;
  });
}

/// The 64-bit numbers whose mask byte is set.
py::bytes select_numbers(const py::bytes& numbers, const py::bytes& mask, std::size_t first) {
  const std::string_view bytes = view_of(numbers);
  const std::string_view kept = view_of(mask);
  const std::size_t count = bytes.size() / sizeof(std::uint64_t);
  if (bytes.size() % sizeof(std::uint64_t) != 0) throw InternalError("numbers are not of 64 bits");
  if (first > kept.size() || count > kept.size() - first) throw InternalError("a mask is shorter than its numbers");
  const std::string_view own = kept.substr(first, count);
  const auto selected = static_cast<std::size_t>(std::ranges::count_if(own, [](char byte) { return byte != 0; }));
  return filled_bytes(selected * sizeof(std::uint64_t), [&](char* out) {
    for (std::size_t row = 0; row < count; ++row) {
      if (own[row] != 0) out = std::ranges::copy(bytes.substr(row * sizeof(std::uint64_t), sizeof(std::uint64_t)), out).out;
    }
  });
}

/// The lines of several texts, numbered through, to take some of them in any order.
class LinePool {
 public:
  /// `sources` are texts, and the ends of their lines as bytes of uint64. Texts without ends have no lines.
  explicit LinePool(const std::vector<std::pair<py::bytes, py::bytes>>& sources) {
    for (const auto& [text, ends] : sources) {
      add(view_of(text), view_of(ends));
      texts_.push_back(text);
    }
  }

  /// (lines, line ends) of the lines with these numbers; ends are bytes of uint64. Nothing when no text has lines.
  py::tuple take(const py::buffer& numbers) const {
    const py::buffer_info info = numbers.request();
    if (info.itemsize != sizeof(std::uint64_t) || info.ndim != 1 || (info.size > 1 && info.strides[0] != info.itemsize)) {
      throw InternalError("lines are numbered by 64-bit numbers, one after the other");
    }
    const std::span<const std::uint64_t> rows{static_cast<const std::uint64_t*>(info.ptr), static_cast<std::size_t>(info.size)};
    std::vector<std::uint64_t> ends;
    if (lines_.empty()) return py::make_tuple(py::bytes(), bytes_of(ends));
    std::size_t size = 0;
    for (const auto row : rows) ends.push_back(size += lines_.at(row).size());
    const auto fill = [&](char* out) {
      for (const auto row : rows) out = std::ranges::copy(lines_[row], out).out;
    };
    return py::make_tuple(filled_bytes(size, fill), bytes_of(ends));
  }

 private:
  void add(std::string_view text, std::string_view ends) {
    std::uint64_t begin = 0;
    if (ends.size() % sizeof begin != 0) throw InternalError("line ends are not 64-bit numbers");
    for (std::size_t at = 0; at < ends.size(); at += sizeof begin) {
      std::uint64_t end = 0;
      std::memcpy(&end, ends.data() + at, sizeof end);
      if (end < begin || end > text.size()) throw InternalError("line ends are not ascending");
      lines_.push_back(text.substr(begin, end - begin));
      begin = end;
    }
  }

  std::vector<py::bytes> texts_;  // keeps what the lines point into
  std::vector<std::string_view> lines_;
};

Program make_program(const py::list& steps) {
  std::vector<Step> compiled;
  for (const auto& entry : steps) {
    const auto step = entry.cast<py::tuple>();  // (function or None, argument slots, params, slot, op)
    Step next{.spec = nullptr,
              .function = nullptr,
              .arguments = step[1].cast<std::vector<std::size_t>>(),
              .slot = step[3].cast<std::size_t>(),
              .op = step[4].cast<std::int32_t>()};
    if (!step[0].is_none()) {
      next.spec = &registry().find(step[0].cast<std::string>());
      next.spec->check_count(next.arguments.size());
      next.function = next.spec->make(to_params(step[2].cast<py::dict>()));
    }
    compiled.push_back(std::move(next));
  }
  return Program{std::move(compiled)};
}

py::list rejections(const OwnedBatch& owned) {
  py::list out;
  const Batch& batch = *owned.batch;
  const auto& lines = batch.lines();
  for (const auto& rejection : batch.rejections()) {
    // The line itself is kept for rows read from JSON, so that nothing of a bad row is lost.
    py::object line = py::none();
    std::uint32_t number = rejection.row;
    if (!lines.lines.empty()) {
      line = py::bytes(lines.lines[rejection.row].data(), lines.lines[rejection.row].size());
      number = lines.numbers[rejection.row];
    }
    py::str reason = py::reinterpret_steal<py::str>(
        PyUnicode_DecodeUTF8(rejection.reason.data(), static_cast<Py_ssize_t>(rejection.reason.size()), "replace"));
    out.append(py::make_tuple(rejection.row, number, rejection.op, reason, line));
  }
  return out;
}

py::list counts(const OwnedBatch& owned) {
  py::list out;
  for (const auto& step : owned.batch->counts()) {
    out.append(py::make_tuple(step.op, step.rows_in, step.rows_out, step.nanoseconds));
  }
  return out;
}

}  // namespace

/// Lets the allocator keep what batches free for the next batches: without this, buffers of a megabyte go back to the
/// system each time and every page of them is faulted in again.
void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 2 << 20);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
}

void register_batches(py::module_& module) {
  py::class_<OwnedBatch>(module, "Batch", "Rows, their columns in numbered slots, and which rows are still alive.")
      .def_property_readonly("row_count", [](const OwnedBatch& owned) { return owned.batch->row_count(); })
      .def_property_readonly("line_count", [](const OwnedBatch& owned) { return owned.batch->lines().line_count; })
      .def_property_readonly("alive", [](const OwnedBatch& owned) { return owned.batch->alive(); })
      .def_property_readonly("alive_count", [](const OwnedBatch& owned) { return owned.batch->alive().size(); })
      .def_property_readonly("line_numbers",
                             [](const OwnedBatch& owned) {
                               std::vector<std::uint32_t> numbers;
                               const auto& all = owned.batch->lines().numbers;
                               if (all.empty() && owned.batch->row_count() > 0) throw InternalError("only lines are numbered");
                               for (const auto row : owned.batch->alive()) numbers.push_back(all[row]);
                               return bytes_of(numbers);
                             })
      .def_property_readonly("rejections", &rejections)
      .def_property_readonly("counts", &counts)
      .def("reject", &reject, py::arg("errors"), py::arg("op"))
      .def_property_readonly("current_op", [](const OwnedBatch& owned) { return owned.batch->current_op(); })
      .def("keep_only",
           [](OwnedBatch& owned, const std::vector<std::uint32_t>& rows) { owned.batch->keep_only(rows); }, py::arg("rows"))
      .def("count", &count, py::arg("op"), py::arg("rows_in"), py::arg("nanoseconds"),
           "Accounts for a step that was not run by a program, and is over.")
      .def("values", &values, py::arg("slot"))
      .def("text_bytes", &text_bytes, py::arg("slot"), "Bytes of the texts of the alive rows.")
      .def("filled_lists", &filled_lists, py::arg("slot"))
      .def("set_values", &set_values, py::arg("slot"), py::arg("type"), py::arg("rows"), py::arg("values"))
      .def("keys", &keys, py::arg("slot"))
      .def("write_json", &write_json, py::arg("layout"))
      .def("stats_objects", &stats_objects, py::arg("layout"));
  py::class_<RowLayout>(module, "RowLayout", "What written rows look like.").def(py::init(&layout_of), py::arg("values"));
  py::class_<Program>(module, "Program", "A fused chain of native functions and conditions.")
      .def(py::init(&make_program), py::arg("steps"))
      .def("run", [](const Program& program, OwnedBatch& owned) {
        const py::gil_scoped_release unlocked;  // programs touch no Python object
        program.run(*owned.batch);
      }, py::arg("batch"));
  py::class_<LinePool>(module, "LinePool", "The lines of several texts, numbered through, to take some of them in any order.")
      .def(py::init<const std::vector<std::pair<py::bytes, py::bytes>>&>(), py::arg("sources"))
      .def("take", &LinePool::take, py::arg("numbers"));
  module.def("read_json_batch", &read_json_batch, py::arg("block"), py::arg("end"), py::arg("paths"),
             py::arg("text_count"), py::arg("slot_count"), py::arg("unread") = RowReasons{});
  module.def("batch_of_texts", &batch_of_texts, py::arg("columns"), py::arg("row_count"), py::arg("slot_count"));
  module.def("batch_of_arrow", &batch_of_arrow, py::arg("columns"), py::arg("row_count"), py::arg("slot_count"));
  module.def("select_lines", &select_lines, py::arg("lines"), py::arg("ends"), py::arg("mask"), py::arg("first"));
  module.def("select_numbers", &select_numbers, py::arg("numbers"), py::arg("mask"), py::arg("first"));
  module.def("keep_freed_memory", &keep_freed_memory,
             "For processes that only run recipes: keeps the memory of finished batches for the next ones.");
  module.def(
      "release_memory",
      [] {
#if defined(__GLIBC__)
        const py::gil_scoped_release unlocked;  // no Python object is touched
        malloc_trim(0);
#endif
      },
      "Gives memory that nobody uses back to the system.");
  module.def("complete_lines", [](const py::bytes& block) { return json::complete_lines(view_of(block)); }, py::arg("block"));
}

}  // namespace djfast::python
