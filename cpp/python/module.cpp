// The Python module: the only folder that knows pybind11. It declares what each topic registers.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "conversions.hpp"
#include "djfast/function.hpp"
#include "kernels/dispatch.hpp"

namespace py = pybind11;

namespace djfast::python {
void register_dedup(py::module_& module);
void register_functions(py::module_& module);
void register_batches(py::module_& module);
void register_json(py::module_& module);
void register_steps(py::module_& module);
void register_csv(py::module_& module);
}  // namespace djfast::python

PYBIND11_MODULE(_native, module) {
  py::register_exception<djfast::UserError>(module, "UserError", PyExc_ValueError);
  py::register_exception<djfast::InternalError>(module, "NativeBug", PyExc_RuntimeError);
  djfast::python::register_dedup(module);
  djfast::python::register_functions(module);
  djfast::python::register_batches(module);
  djfast::python::register_json(module);
  djfast::python::register_steps(module);
  djfast::python::register_csv(module);
}
