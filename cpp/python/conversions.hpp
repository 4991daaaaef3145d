// Python values <-> native parameters and columns.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

#include "djfast/function.hpp"

namespace djfast::python {

namespace py = pybind11;

/// Parameters of a native function. Texts, numbers, booleans, None and homogeneous lists of strings or integers.
Params to_params(const py::dict& values);

/// A column from a Python list: str or bytes of valid UTF-8, int, float, bool, lists of str or of int. Bytes of texts are
/// copied into the arena. The first element decides the type, `wanted` that of lists of str and of no values.
Column to_column(const py::list& values, Types wanted, Arena& arena);

/// The values of some rows of a column, which has an entry for each of them.
py::list to_list(const Column& column, std::span<const std::uint32_t> rows);

/// A value that a Python function gave is not what it declares.
struct BadValue : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The value of a Python function as what it declares, or BadValue. Bytes of texts are copied into the arena.
std::string_view as_text(const py::object& value, Arena& arena);
std::vector<std::string_view> as_texts(const py::object& value, Arena& arena);
std::string_view as_json(const py::object& value, Arena& arena);

[[noreturn]] void refuse(const py::object& value, const std::string& wanted);

template <class Number>
Number as_number(const py::object& value, const char* wanted) {
  try {
    return value.cast<Number>();
  } catch (const py::cast_error&) {
    refuse(value, wanted);
  }
}

}  // namespace djfast::python
