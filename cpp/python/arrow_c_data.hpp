// Text columns in through the Arrow C data interface: no link to any Arrow library.
#pragma once

#include <pybind11/pybind11.h>

#include "djfast/column.hpp"

namespace djfast::python {

namespace py = pybind11;

/// Views of an Arrow array of type utf8 or large_utf8. The capsules own the bytes. Null rows give empty views.
Texts texts_of_arrow(const py::capsule& schema, const py::capsule& array);

}  // namespace djfast::python
