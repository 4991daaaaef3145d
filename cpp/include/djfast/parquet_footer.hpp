// What the footer and the heads of pages of a Parquet file say, read without trust: packages end the process where it is damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace djfast::parquet {

/// What the footer says of one column of one row group; all are 0 where it says nothing, and any number where it is damaged.
struct ColumnChunk {
  std::int64_t values = 0;
  std::int64_t uncompressed_bytes = 0;
  std::int64_t compressed_bytes = 0;
  std::int64_t pages_start = 0;       // in the file; of the pages with data
  std::int64_t dictionary_start = 0;  // of the page with the dictionary
};

/// The columns of each row group, in the order of the schema's leaves. UserError where the footer is damaged.
std::vector<std::vector<ColumnChunk>> row_groups(std::string_view footer);

/// Where the data of the last row group ends, counted from the beginning of the file; 0 without row groups. `footer` holds the
/// metadata of the file in Thrift's compact form. UserError where it is damaged.
std::int64_t end_of_data(std::string_view footer);

/// What stands before the bytes of a page; sizes may be any number where it is damaged.
struct PageHead {
  std::size_t bytes = 0;  // of the head itself
  bool is_dictionary = false;
  std::int64_t uncompressed_bytes = 0;
  std::int64_t compressed_bytes = 0;  // that follow the head
};

/// The head of the page at the beginning of `bytes`. UserError where it is damaged or goes on behind them.
PageHead page_head(std::string_view bytes);

}  // namespace djfast::parquet
