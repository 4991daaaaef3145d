// What the footer of a Parquet file says, read without trust: packages end the process where it is damaged.
#pragma once

#include <cstdint>
#include <string_view>

namespace djfast::parquet {

/// Where the data of the last row group ends, counted from the beginning of the file; 0 without row groups. `footer` holds the
/// metadata of the file in Thrift's compact form. UserError where it is damaged.
std::int64_t end_of_data(std::string_view footer);

}  // namespace djfast::parquet
