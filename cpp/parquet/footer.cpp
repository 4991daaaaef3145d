#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "djfast/parquet_footer.hpp"
#include "thrift.hpp"

namespace djfast::parquet {
namespace {

using thrift::Reader;

constexpr std::int64_t dictionary_page = 2;  // of PageType

ColumnChunk column_chunk(Reader& reader) {
  ColumnChunk chunk;
  reader.fields([&](std::int64_t field, int type) {
    if (type != thrift::i64) return false;
    switch (field) {
      case 5: chunk.values = reader.number(); return true;
      case 6: chunk.uncompressed_bytes = reader.number(); return true;
      case 7: chunk.compressed_bytes = reader.number(); return true;
      case 9: chunk.pages_start = reader.number(); return true;
      case 11: chunk.dictionary_start = reader.number(); return true;
      default: return false;
    }
  });
  return chunk;
}

std::vector<ColumnChunk> row_group(Reader& reader) {
  std::vector<ColumnChunk> chunks;
  reader.fields([&](std::int64_t field, int type) {
    if (field != 1 || type != thrift::list) return false;
    reader.elements([&] {
      ColumnChunk chunk;
      reader.fields([&](std::int64_t member, int kind) {
        if (member != 3 || kind != thrift::struct_) return false;
        chunk = column_chunk(reader);
        return true;
      });
      chunks.push_back(chunk);
    });
    return true;
  });
  return chunks;
}

std::int64_t end_of(const ColumnChunk& chunk) {
  const std::int64_t start = chunk.dictionary_start > 0 ? chunk.dictionary_start : chunk.pages_start;
  if (start < 0 || chunk.compressed_bytes < 0 || start > std::numeric_limits<std::int64_t>::max() - chunk.compressed_bytes) return 0;
  return start + chunk.compressed_bytes;
}

}  // namespace

std::vector<std::vector<ColumnChunk>> row_groups(std::string_view footer) {
  Reader reader(footer);
  std::vector<std::vector<ColumnChunk>> groups;
  reader.fields([&](std::int64_t field, int type) {
    if (field != 4 || type != thrift::list) return false;
    reader.elements([&] { groups.push_back(row_group(reader)); });
    return true;
  });
  return groups;
}

std::int64_t end_of_data(std::string_view footer) {
  const auto groups = row_groups(footer);
  std::int64_t end = 0;
  if (!groups.empty()) {
    for (const ColumnChunk& chunk : groups.back()) end = std::max(end, end_of(chunk));
  }
  return end;
}

PageHead page_head(std::string_view bytes) {
  Reader reader(bytes);
  PageHead head;
  reader.fields([&](std::int64_t field, int type) {
    if (type != thrift::i32 || field < 1 || field > 3) return false;
    const std::int64_t value = reader.number();
    if (field == 1) head.is_dictionary = value == dictionary_page;
    if (field == 2) head.uncompressed_bytes = value;
    if (field == 3) head.compressed_bytes = value;
    return true;
  });
  head.bytes = bytes.size() - reader.left();
  return head;
}

}  // namespace djfast::parquet
