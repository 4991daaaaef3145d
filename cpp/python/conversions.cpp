#include "conversions.hpp"

#include <pybind11/stl.h>

#include <algorithm>

#include "cpp/text/counted_words.hpp"
#include "djfast/json_lines.hpp"
#include "djfast/unicode.hpp"

namespace djfast::python {
namespace {

std::string_view bytes_of(py::handle value) {
  if (PyUnicode_Check(value.ptr())) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
    if (data == nullptr) throw py::error_already_set();
    return {data, static_cast<std::size_t>(size)};
  }
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(value.ptr(), &data, &size) != 0) throw py::error_already_set();
  const std::string_view bytes{data, static_cast<std::size_t>(size)};
  if (!unicode::is_valid_utf8(bytes)) throw UserError("bytes of a text must be valid UTF-8");
  return bytes;
}

bool is_text(py::handle value) { return PyUnicode_Check(value.ptr()) || PyBytes_Check(value.ptr()); }

ParamValue to_param(py::handle value) {
  if (value.is_none()) return std::monostate{};
  if (PyBool_Check(value.ptr())) return value.cast<bool>();
  if (PyLong_Check(value.ptr())) return value.cast<std::int64_t>();
  if (PyFloat_Check(value.ptr())) return value.cast<double>();
  if (is_text(value)) return std::string{bytes_of(value)};
  const auto items = value.cast<py::sequence>();
  if (items.size() > 0 && PyLong_Check(py::object(items[0]).ptr())) return value.cast<std::vector<std::int64_t>>();
  std::vector<std::string> texts;
  texts.reserve(items.size());
  for (const auto& item : items) texts.emplace_back(bytes_of(item));
  return texts;
}

Column lists_column(const py::list& values, Types wanted, Arena& arena) {
  TextLists texts{.offsets = {0}, .items = {}};
  NumberLists numbers{.offsets = {0}, .items = {}};
  for (const auto& row : values) {
    for (const auto& item : row.cast<py::sequence>()) {
      if (is_text(item)) {
        texts.items.push_back(arena.copy(bytes_of(item)));
      } else {
        numbers.items.push_back(item.cast<std::uint64_t>());
      }
    }
    texts.offsets.push_back(static_cast<std::uint32_t>(texts.items.size()));
    numbers.offsets.push_back(static_cast<std::uint32_t>(numbers.items.size()));
  }
  if (!numbers.items.empty() && !texts.items.empty()) throw UserError("lists must hold texts or integers, not both");
  if (!numbers.items.empty() || (texts.items.empty() && wanted.has(Type::number_list))) return numbers;
  return texts;
}

CountedWords counted(const TextLists& lists, std::size_t row_count, Arena& arena) {
  CountedWords words(row_count);
  for (std::size_t row = 0; row < row_count; ++row) {
    const std::string_view* const items = lists.items.data();
    words[row] = text::count_words({items + lists.offsets[row], items + lists.offsets[row + 1]}, arena);
  }
  return words;
}

py::str to_str(std::string_view text) { return {text.data(), text.size()}; }

struct ToList {
  std::span<const std::uint32_t> rows;

  py::list operator()(const Texts& texts) const {
    return listed([&](std::uint32_t row) { return to_str(texts[row]); });
  }
  py::list operator()(const Booleans& values) const {
    return listed([&](std::uint32_t row) { return py::bool_(values[row] != 0); });
  }
  template <class Value>
  py::list operator()(const std::vector<Value>& values) const {
    return listed([&](std::uint32_t row) { return py::cast(values[row]); });
  }
  py::list operator()(const TextLists& lists) const {
    return nested(lists.offsets, [&](std::size_t item) { return py::object(to_str(lists.items[item])); });
  }
  py::list operator()(const NumberLists& lists) const {
    return nested(lists.offsets, [&](std::size_t item) { return py::object(py::int_(lists.items[item])); });
  }
  py::list operator()(const CountedWords& words) const {
    return listed([&](std::uint32_t row) {
      py::list inner;
      for (const auto number : words[row].numbers) inner.append(to_str(words[row].distinct[number]));
      return inner;
    });
  }
  py::list operator()(const Digests& digests) const {
    const auto* bytes = reinterpret_cast<const char*>(digests.bytes.data());
    return listed([&](std::uint32_t row) { return py::bytes(bytes + row * digests.width, digests.width); });
  }

  template <class ValueOf>
  py::list listed(ValueOf value_of) const {
    py::list out(rows.size());
    for (std::size_t at = 0; at < rows.size(); ++at) out[at] = value_of(rows[at]);
    return out;
  }
  template <class Item>
  py::list nested(const std::vector<std::uint32_t>& offsets, Item item) const {
    return listed([&](std::uint32_t row) {
      py::list inner;
      for (auto at = offsets[row]; at < offsets[row + 1]; ++at) inner.append(item(at));
      return inner;
    });
  }
};

/// A column without rows.
Column empty_column(Types wanted) {
  if (wanted.has(Type::counted_words)) return CountedWords{};
  if (wanted.has(Type::number_list)) return NumberLists{.offsets = {0}, .items = {}};
  if (wanted.has(Type::text_list)) return TextLists{.offsets = {0}, .items = {}};
  if (wanted.has(Type::text) || wanted.has(Type::json)) return Texts{};
  if (wanted.has(Type::int64)) return Int64s{};
  if (wanted.has(Type::double_)) return Doubles{};
  return Booleans{};
}

}  // namespace

Params to_params(const py::dict& values) {
  std::map<std::string, ParamValue> params;
  for (const auto& [name, value] : values) params.emplace(name.cast<std::string>(), to_param(value));
  return Params{std::move(params)};
}

Column to_column(const py::list& values, Types wanted, Arena& arena) {
  if (values.empty()) return empty_column(wanted);
  const py::handle first = values[0];
  if (is_text(first)) {
    Texts texts;
    texts.reserve(values.size());
    for (const auto& value : values) texts.push_back(arena.copy(bytes_of(value)));
    return texts;
  }
  if (PyBool_Check(first.ptr())) {
    Booleans booleans;
    for (const auto& value : values) booleans.push_back(value.cast<bool>() ? 1 : 0);
    return booleans;
  }
  if (PyLong_Check(first.ptr())) return values.cast<Int64s>();
  if (PyFloat_Check(first.ptr())) return values.cast<Doubles>();
  Column lists = lists_column(values, wanted, arena);
  const auto* texts = std::get_if<TextLists>(&lists);
  return texts != nullptr && wanted.has(Type::counted_words) ? counted(*texts, values.size(), arena) : std::move(lists);
}

py::list to_list(const Column& column, std::span<const std::uint32_t> rows) { return std::visit(ToList{rows}, column); }

void refuse(const py::object& value, const std::string& wanted) {
  const py::object spoken = py::module_::import("djfast.type_names").attr("spoken_type")(value);
  throw BadValue("the answer must be " + wanted + ", got " + spoken.cast<std::string>());
}

std::string_view as_text(const py::object& value, Arena& arena) {
  if (!PyUnicode_Check(value.ptr())) refuse(value, "a string");
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
  if (data == nullptr) {
    PyErr_Clear();
    throw BadValue("the answer contains a lone surrogate, which is not a Unicode character");
  }
  return arena.copy({data, static_cast<std::size_t>(size)});
}

std::vector<std::string_view> as_texts(const py::object& value, Arena& arena) {
  if (!PyList_Check(value.ptr()) && !PyTuple_Check(value.ptr())) refuse(value, "a list of strings");
  std::vector<std::string_view> texts;
  for (const auto& item : value) texts.push_back(as_text(py::reinterpret_borrow<py::object>(item), arena));
  return texts;
}

std::string_view as_json(const py::object& value, Arena& arena) {
  const std::string_view json = as_text(value, arena);
  // The empty text stands for no value. A line feed would end the row's line.
  if (json.empty() || (json.find('\n') == std::string_view::npos && json::is_value(json))) return json;
  throw BadValue("the answer must be JSON in one line, got " + std::string{json.substr(0, 40)});
}

}  // namespace djfast::python
