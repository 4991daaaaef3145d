// JSON lines: reading and editing them, for tests and notebooks.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "djfast/json_lines.hpp"

namespace py = pybind11;

namespace djfast::python {
namespace {

constexpr const char* kind_names[] = {"missing", "null", "boolean", "number", "text", "array", "object"};

py::bytes to_bytes(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

py::tuple to_tuple(const json::Field& field) {
  const bool is_text = field.kind == json::Kind::text;
  return py::make_tuple(kind_names[static_cast<int>(field.kind)], to_bytes(field.raw),
                        is_text ? py::object(py::str(field.text.data(), field.text.size())) : py::object(py::none()),
                        field.is_repeated);
}

py::dict read_json_lines(const py::bytes& block, const std::vector<std::string>& paths) {
  const std::string_view bytes = block;
  Arena arena;
  json::Lines read;
  {
    const py::gil_scoped_release unlocked;  // no Python object is touched below; `block` keeps its bytes
    read = json::read_lines(bytes, paths, arena);
  }
  py::list lines;
  for (const auto line : read.lines) lines.append(to_bytes(line));
  py::list fields;
  for (const auto& column : read.fields) {
    py::list rows;
    for (const auto& field : column) rows.append(to_tuple(field));
    fields.append(rows);
  }
  py::list errors;
  for (const auto& [row, reason] : read.errors.entries()) errors.append(py::make_tuple(row, reason));
  py::dict result;
  result["lines"] = lines;
  result["numbers"] = read.numbers;
  result["line_count"] = read.line_count;
  result["fields"] = fields;
  result["errors"] = errors;
  return result;
}

py::bytes edit_json_line(const py::bytes& line,
                         const std::vector<std::tuple<std::string, std::string, std::string>>& changes) {
  std::vector<std::string> paths;
  for (const auto& change : changes) paths.push_back(std::get<0>(change));
  Arena arena;
  const json::Lines read = json::read_lines(std::string_view{line}, paths, arena);
  if (!read.errors.empty()) throw UserError(read.errors.entries()[0].reason);
  if (read.lines.size() != 1) throw UserError("expected one line, got " + std::to_string(read.lines.size()));
  std::vector<json::Change> prepared;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto& [path, name, value] = changes[i];
    prepared.push_back({.field = &read.fields[i][0], .name = name, .value = value});
  }
  std::string edited;
  json::append_line(edited, read.lines[0], prepared);
  return to_bytes(edited);
}

template <class Value>
std::string number(Value value) {
  std::string out;
  json::append_number(out, value);
  return out;
}

}  // namespace

void register_json(py::module_& module) {
  module.def("read_json_lines", &read_json_lines, py::arg("block"), py::arg("paths"),
             "Lines of a block, their touched fields as (kind, raw, text, is_repeated), and the broken rows.");
  module.def("edit_json_line", &edit_json_line, py::arg("line"), py::arg("changes"),
             "The line with (path, name, value) changes; an empty value removes the field.");
  module.def("json_number", [](const py::int_& value) { return number(value.cast<std::int64_t>()); }, py::arg("value"));
  module.def("json_number", [](double value) { return number(value); }, py::arg("value"),
             "A number as JSON that reads back the same.");
  module.def(
      "json_text",
      [](std::string_view text) {
        std::string out;
        json::append_text(out, text);
        return out;
      },
      py::arg("text"), "A text as a JSON string with quotes.");
}

}  // namespace djfast::python
