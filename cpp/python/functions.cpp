// Native functions one by one: their declarations, and a way to run one on plain lists (tests, notebooks).
#include <numeric>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "conversions.hpp"
#include "kernels/dispatch.hpp"

namespace djfast::python {
namespace {

py::dict declarations() {
  py::dict all;
  for (const auto& [name, spec] : registry().all()) {
    py::list inputs;
    for (const Types input : spec.inputs) inputs.append(input.names());
    py::dict declaration;
    declaration["summary"] = spec.summary;
    declaration["inputs"] = inputs;
    declaration["output"] = name_of(spec.output);
    declaration["cost"] = spec.cost;
    declaration["memory"] = spec.memory;
    declaration["may_reject"] = spec.may_reject;
    all[py::str(name.data(), name.size())] = declaration;
  }
  return all;
}

py::list evaluate(const std::string& name, const py::list& columns, const py::dict& params) {
  Arena arena;
  const FunctionSpec& spec = registry().find(name);
  spec.check_count(columns.size());
  std::vector<Column> arguments;
  for (const auto& column : columns) {
    arguments.push_back(to_column(column.cast<py::list>(), spec.inputs[arguments.size()], arena));
  }
  std::vector<const Column*> pointers;
  for (const auto& argument : arguments) pointers.push_back(&argument);
  const std::size_t row_count = columns.empty() ? 0 : columns[0].cast<py::list>().size();
  std::vector<std::uint32_t> rows(row_count);
  std::iota(rows.begin(), rows.end(), 0U);
  spec.check(pointers, row_count);
  RowErrors errors;
  const auto function = spec.make(to_params(params));
  Column result;
  {
    const py::gil_scoped_release unlocked;  // no Python object is touched below
    result = function->run({.arguments = pointers, .rows = rows, .row_count = row_count, .arena = arena, .errors = errors});
  }
  if (!errors.empty()) throw UserError("row " + std::to_string(errors.entries()[0].row) + ": " + errors.entries()[0].reason);
  return to_list(result, rows);
}

kernels::Isa isa_named(const std::string& name) {
  if (name == "serial") return kernels::Isa::serial;
  if (name == "avx2") return kernels::Isa::avx2;
  if (name == "avx512") return kernels::Isa::avx512;
  throw UserError("instruction set must be serial, avx2 or avx512, got " + name);
}

const char* name_of(kernels::Isa isa) {
  switch (isa) {
    case kernels::Isa::serial: return "serial";
    case kernels::Isa::avx2: return "avx2";
    case kernels::Isa::avx512: return "avx512";
  }
  return "serial";
}

}  // namespace

void register_functions(py::module_& module) {
  module.def("functions", &declarations, "Every native function by name: summary, inputs, output, cost, memory, may_reject.");
  module.def("evaluate", &evaluate, py::arg("name"), py::arg("columns"), py::arg("params") = py::dict{},
             "Runs one native function on Python lists; a rejected row is a UserError.");
  module.def("force_isa", [](const std::string& name) { kernels::force_isa(isa_named(name)); }, py::arg("name"),
             "Lowers the instruction set of all kernels; for tests.");
  module.def("active_isa", [] { return name_of(kernels::active_isa()); }, "The instruction set that kernels use.");
}

}  // namespace djfast::python
