#include "arrow_c_data.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <string>

#include "cpp/arrow/check.hpp"
#include "djfast/parquet_footer.hpp"

namespace djfast::python {
namespace {

constexpr const char* stream_name = "arrow_array_stream";

template <class Struct>
Struct& held_by(const py::object& capsule, const char* name) {
  auto* held = static_cast<Struct*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (held == nullptr) throw py::error_already_set();
  return *held;
}

const arrow::ArrowSchema& schema_of(const ArrowCapsules& capsules) {
  return held_by<arrow::ArrowSchema>(capsules.schema, "arrow_schema");
}
const arrow::ArrowArray& array_of(const ArrowCapsules& capsules) {
  return held_by<arrow::ArrowArray>(capsules.array, "arrow_array");
}

/// (row, reason) of the rows of a record batch that hold a text which is not valid UTF-8.
std::vector<std::pair<std::uint32_t, std::string>> check_arrow(const py::object& batch) {
  const ArrowCapsules capsules(batch);
  const auto& schema = schema_of(capsules);
  const auto& array = array_of(capsules);
  RowErrors errors;
  {
    const py::gil_scoped_release unlocked;  // no Python object is touched below; the capsules are held
    errors = arrow::check_batch(schema, array);
  }
  std::vector<std::pair<std::uint32_t, std::string>> rows;
  for (const auto& [row, reason] : errors.entries()) rows.emplace_back(row, reason);
  return rows;
}

void release_stream(PyObject* capsule) {
  const std::unique_ptr<arrow::ArrowArrayStream> stream{
      static_cast<arrow::ArrowArrayStream*>(PyCapsule_GetPointer(capsule, stream_name))};
  if (stream->release != nullptr) stream->release(stream.get());
}

/// A stream whose batches are checked before anybody imports them; the one given is used up.
py::capsule checked_arrow_stream(const py::capsule& source) {
  auto checked = std::make_unique<arrow::ArrowArrayStream>();
  arrow::check_stream(held_by<arrow::ArrowArrayStream>(source, stream_name), *checked);
  return py::capsule(checked.release(), stream_name, &release_stream);
}

}  // namespace

ArrowCapsules::ArrowCapsules(const py::object& data) {
  const auto pair = data.attr("__arrow_c_array__")().cast<py::tuple>();
  schema = pair[0];
  array = pair[1];
}

Texts texts_of_arrow(const ArrowCapsules& capsules, std::size_t row_count, RowErrors& errors) {
  return arrow::texts_of(schema_of(capsules), array_of(capsules), row_count, errors);
}

py::list parquet_row_groups(const py::bytes& footer) {
  py::list groups;
  for (const auto& chunks : parquet::row_groups(std::string_view{footer})) {
    py::list columns;
    for (const parquet::ColumnChunk& chunk : chunks) {
      columns.append(
          py::make_tuple(chunk.values, chunk.uncompressed_bytes, chunk.compressed_bytes, chunk.pages_start, chunk.dictionary_start));
    }
    groups.append(columns);
  }
  return groups;
}

py::tuple parquet_page(const py::bytes& head) {
  const parquet::PageHead page = parquet::page_head(std::string_view{head});
  return py::make_tuple(page.bytes, page.is_dictionary, page.uncompressed_bytes, page.compressed_bytes);
}

void register_arrow(py::module_& module) {
  module.def("check_arrow", &check_arrow, py::arg("batch"),
             "Checks a record batch, nested columns included: (row, reason) for rows with a text that is not valid UTF-8; "
             "SchemaError where its structure is broken.");
  module.def("end_of_parquet_data", [](const py::bytes& footer) { return parquet::end_of_data(std::string_view{footer}); },
             py::arg("footer"), "Where the last row group of a Parquet file ends, by the metadata in its footer.");
  module.def("parquet_row_groups", &parquet_row_groups, py::arg("footer"),
             "The columns of each row group of a Parquet file, by the metadata in its footer: number of values, bytes uncompressed and "
             "compressed, where the pages with data begin and where the dictionary does, 0 without one.");
  module.def("parquet_page", &parquet_page, py::arg("head"),
             "What a page of a Parquet file begins with: bytes of the head, whether it is a dictionary, bytes of the page uncompressed and "
             "compressed. UserError where the head is damaged, or is not there as a whole.");
  module.def("checked_arrow_stream", &checked_arrow_stream, py::arg("stream"),
             "The capsule of a stream whose record batches are checked for structure before anybody imports them.");
}

}  // namespace djfast::python
