#include "conversions.hpp"

#include <pybind11/stl.h>

#include "cpp/text/counted_words.hpp"

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
  return {data, static_cast<std::size_t>(size)};
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

Column lists_column(const py::list& values, Arena& arena) {
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
  if (!numbers.items.empty()) return numbers;
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
  std::size_t row_count;

  py::list operator()(const Texts& texts) const {
    py::list out;
    for (const auto text : texts) out.append(to_str(text));
    return out;
  }
  py::list operator()(const Booleans& values) const {
    py::list out;
    for (const auto value : values) out.append(py::bool_(value != 0));
    return out;
  }
  template <class Value>
  py::list operator()(const std::vector<Value>& values) const {
    py::list out;
    for (const auto value : values) out.append(value);
    return out;
  }
  py::list operator()(const TextLists& lists) const {
    return nested(lists.offsets, [&](std::size_t item) { return py::object(to_str(lists.items[item])); });
  }
  py::list operator()(const NumberLists& lists) const {
    return nested(lists.offsets, [&](std::size_t item) { return py::object(py::int_(lists.items[item])); });
  }
  py::list operator()(const CountedWords& words) const {
    py::list out;
    for (const RowWords& row : words) {
      py::list inner;
      for (const auto number : row.numbers) inner.append(to_str(row.distinct[number]));
      out.append(inner);
    }
    return out;
  }
  py::list operator()(const Digests& digests) const {
    py::list out;
    for (std::size_t row = 0; row < row_count; ++row) {
      out.append(py::bytes(reinterpret_cast<const char*>(digests.bytes.data()) + row * digests.width, digests.width));
    }
    return out;
  }

  template <class Item>
  py::list nested(const std::vector<std::uint32_t>& offsets, Item item) const {
    py::list out;
    for (std::size_t row = 0; row < row_count; ++row) {
      py::list inner;
      for (auto at = offsets[row]; at < offsets[row + 1]; ++at) inner.append(item(at));
      out.append(inner);
    }
    return out;
  }
};

}  // namespace

Params to_params(const py::dict& values) {
  std::map<std::string, ParamValue> params;
  for (const auto& [name, value] : values) params.emplace(name.cast<std::string>(), to_param(value));
  return Params{std::move(params)};
}

Column to_column(const py::list& values, Type wanted, Arena& arena) {
  if (values.empty()) return Texts{};
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
  Column lists = lists_column(values, arena);
  return wanted == Type::counted_words ? counted(std::get<TextLists>(lists), values.size(), arena) : std::move(lists);
}

py::list to_list(const Column& column, std::size_t row_count) { return std::visit(ToList{row_count}, column); }

}  // namespace djfast::python
