// The Python module: the only folder that knows pybind11. It declares what each topic registers.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "conversions.hpp"
#include "djfast/errors.hpp"
#include "djfast/function.hpp"
#include "kernels/dispatch.hpp"

namespace py = pybind11;

namespace djfast::python {
void register_arrow(py::module_& module);
void register_dedup(py::module_& module);
void register_functions(py::module_& module);
void register_batches(py::module_& module);
void register_json(py::module_& module);
void register_steps(py::module_& module);
void register_csv(py::module_& module);
}  // namespace djfast::python

namespace {

/// Raises an exception of djfast's own tree. The text may quote bytes that are no UTF-8.
void raise(const char* name, const std::exception& error) {
  const py::object type = py::module_::import("djfast.errors").attr(name);
  const std::string_view text = error.what();
  const auto message = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
  PyErr_SetObject(type.ptr(), message.ptr());
}

void translate(std::exception_ptr thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const djfast::ModelError& error) {
    raise("ModelError", error);
  } catch (const djfast::SchemaError& error) {
    raise("SchemaError", error);
  } catch (const djfast::UserError& error) {
    raise("UserError", error);
  } catch (const djfast::InternalError& error) {
    raise("InternalError", error);
  }
}

}  // namespace

PYBIND11_MODULE(_native, module) {
  py::register_exception_translator(&translate);
  djfast::python::register_arrow(module);
  djfast::python::register_dedup(module);
  djfast::python::register_functions(module);
  djfast::python::register_batches(module);
  djfast::python::register_json(module);
  djfast::python::register_steps(module);
  djfast::python::register_csv(module);
}
