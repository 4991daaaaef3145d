// Arrow data in, through the C data and stream interfaces: no link to any Arrow library.
#pragma once

#include <pybind11/pybind11.h>

#include "djfast/column.hpp"
#include "djfast/errors.hpp"

namespace djfast::python {

namespace py = pybind11;

/// An array and its type, as something with `__arrow_c_array__` hands them out. They own what they hold.
struct ArrowCapsules {
  explicit ArrowCapsules(const py::object& data);

  py::object schema;
  py::object array;
};

/// Views of an array of texts; see arrow::texts_of. The capsules own the bytes.
Texts texts_of_arrow(const ArrowCapsules& capsules, std::size_t row_count, RowErrors& errors);

}  // namespace djfast::python
