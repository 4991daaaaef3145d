#include "arrow_c_data.hpp"

#include <cstring>
#include <string>

#include "djfast/errors.hpp"

namespace djfast::python {

// The layout of these two structs is fixed by the Arrow C data interface.
extern "C" {
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  std::int64_t flags;
  std::int64_t n_children;
  ArrowSchema** children;
  ArrowSchema* dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  std::int64_t length;
  std::int64_t null_count;
  std::int64_t offset;
  std::int64_t n_buffers;
  std::int64_t n_children;
  const void** buffers;
  ArrowArray** children;
  ArrowArray* dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};
}

namespace {

template <class Offset>
Texts views(const ArrowArray& array) {
  const auto* validity = static_cast<const std::uint8_t*>(array.buffers[0]);
  const auto* offsets = static_cast<const Offset*>(array.buffers[1]) + array.offset;
  const auto* bytes = static_cast<const char*>(array.buffers[2]);
  Texts texts(static_cast<std::size_t>(array.length));
  for (std::int64_t row = 0; row < array.length; ++row) {
    const std::int64_t bit = array.offset + row;
    if (validity != nullptr && (validity[bit / 8] >> (bit % 8) & 1) == 0) continue;
    texts[static_cast<std::size_t>(row)] = {bytes + offsets[row], static_cast<std::size_t>(offsets[row + 1] - offsets[row])};
  }
  return texts;
}

}  // namespace

Texts texts_of_arrow(const py::capsule& schema_capsule, const py::capsule& array_capsule) {
  const auto* schema = static_cast<const ArrowSchema*>(PyCapsule_GetPointer(schema_capsule.ptr(), "arrow_schema"));
  const auto* array = static_cast<const ArrowArray*>(PyCapsule_GetPointer(array_capsule.ptr(), "arrow_array"));
  if (schema == nullptr || array == nullptr) throw py::error_already_set();
  if (std::strcmp(schema->format, "u") == 0) return views<std::int32_t>(*array);
  if (std::strcmp(schema->format, "U") == 0) return views<std::int64_t>(*array);
  throw UserError(std::string{"a text column must be of Arrow type utf8 or large_utf8, got format "} + schema->format);
}

}  // namespace djfast::python
