// Arrow data is checked where it enters: behind this border every offset, index and view lies inside what it points into,
// and every text is valid UTF-8.
//
// The interface does not tell how large a buffer is, but for the buffers of views: that offsets end within their bytes, the
// producer must vouch for. Everything that can be told without is checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cpp/arrow/c_data.hpp"
#include "djfast/column.hpp"
#include "djfast/errors.hpp"

namespace djfast::arrow {

/// Checks a record batch (an array of structs) with all that is nested in it. The rows that hold a text which is not valid
/// UTF-8, at any depth, are errors; SchemaError where the structure is broken: then none of it may be read.
RowErrors check_batch(const ArrowSchema& schema, const ArrowArray& array);

/// Views of an array of type utf8, large_utf8 or utf8_view with `row_count` rows; what it points into must outlive them. A
/// null gives an empty view. Texts that are not valid UTF-8 become `errors`; SchemaError for another type or a broken array.
Texts texts_of(const ArrowSchema& schema, const ArrowArray& array, std::size_t row_count, RowErrors& errors);

/// Wraps a stream, which is left released: its record batches are checked for structure before anybody sees them. A broken
/// one ends the stream with an error that says what is wrong.
void check_stream(ArrowArrayStream& source, ArrowArrayStream& checked);

}  // namespace djfast::arrow
