// Counts the steps of an engine that looks for signals in its loops, as CPython's extensions do, and stops it after so many.
#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace djfast::python {
namespace {

// As the handler of a signal it is called at every such look: each call asks for the next one. No bytecode runs in it, or
// the interpreter would look for signals there, and find its own.
class StepCounter {
 public:
  StepCounter(long most, int signal) : most_(most), signal_(signal) {}

  void begin() {
    count_ = 0;
    is_counting_ = true;
    PyErr_SetInterruptEx(signal_);
  }

  void end() { is_counting_ = false; }

  void step(const py::args&) {
    if (!is_counting_) return;
    if (++count_ > most_) {
      is_counting_ = false;
      PyErr_SetString(PyExc_TimeoutError, "too many steps");
      throw py::error_already_set();
    }
    PyErr_SetInterruptEx(signal_);
  }

  long count() const { return count_; }

 private:
  long most_;
  int signal_;
  long count_ = 0;
  bool is_counting_ = false;
};

}  // namespace

void register_steps(py::module_& module) {
  py::class_<StepCounter>(module, "StepCounter")
      .def(py::init<long, int>(), py::arg("most"), py::arg("signal"))
      .def("begin", &StepCounter::begin)
      .def("end", &StepCounter::end)
      .def("__call__", &StepCounter::step)
      .def_property_readonly("count", &StepCounter::count);
}

}  // namespace djfast::python
