// Records of comma- and tab-separated values.
#include <pybind11/pybind11.h>

#include "djfast/csv_records.hpp"
#include "djfast/errors.hpp"

namespace py = pybind11;

namespace djfast::python {
namespace {

py::tuple csv_records(const py::bytes& block, std::size_t start, char delimiter, bool is_last, std::size_t most) {
  const std::string_view bytes = block;
  if (start > bytes.size()) throw UserError("start must lie in the block");
  csv::Records found;
  {
    const py::gil_scoped_release unlocked;  // no Python object is touched below; `block` keeps its bytes
    found = csv::whole_records(bytes.substr(start), delimiter, is_last, most);
  }
  return py::make_tuple(start + found.end, found.count, found.is_broken);
}

}  // namespace

void register_csv(py::module_& module) {
  module.def("csv_records", &csv_records, py::arg("block"), py::arg("start"), py::arg("delimiter"), py::arg("is_last"),
             py::arg("most") = static_cast<std::size_t>(-1),
             "Where the whole records from `start` on end, how many there are, and whether the next one is broken.");
}

}  // namespace djfast::python
