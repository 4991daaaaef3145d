// Python values <-> native parameters and columns.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "djfast/function.hpp"

namespace djfast::python {

namespace py = pybind11;

/// Parameters of a native function. Texts, numbers, booleans, None and homogeneous lists of texts or whole numbers.
Params to_params(const py::dict& values);

/// A column from a Python list: str or bytes, int, float, bool, lists of str or of int. Bytes of texts are copied into
/// the arena. The first element decides the type; an empty list is a text column. Lists of str become counted words when
/// that is the type `wanted`.
Column to_column(const py::list& values, Type wanted, Arena& arena);

/// A column as a Python list; dead rows are whatever the column holds for them.
py::list to_list(const Column& column, std::size_t row_count);

}  // namespace djfast::python
