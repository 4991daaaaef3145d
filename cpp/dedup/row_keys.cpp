#include <algorithm>
#include <cstring>
#include <string>

#include "djfast/duplicate_groups.hpp"
#include "djfast/errors.hpp"

namespace djfast {

void RowKeys::add(std::span<const std::byte> keys, std::size_t rows, RowMask present) {
  if (present.data() != nullptr && present.size() != rows) {
    throw UserError("present must have one byte per row (" + std::to_string(rows) + "), got " +
                    std::to_string(present.size()));
  }
  if (rows > UINT32_MAX - this->rows()) throw UserError("deduplication takes at most 2^32 - 1 rows");
  const std::size_t row_bytes = width_ * sizeof(std::uint64_t);
  const auto is_present = [&](std::size_t i) { return present.data() == nullptr || present[i] != 0; };
  const std::size_t with_keys =
      present.data() == nullptr ? rows : rows - static_cast<std::size_t>(std::ranges::count(present, 0));
  const bool leaves_out_absent = keys.size() == with_keys * row_bytes;
  if (!leaves_out_absent && keys.size() != rows * row_bytes) {
    throw UserError("keys must have " + std::to_string(row_bytes) + " bytes for each of " + std::to_string(rows) +
                    " rows, or of the " + std::to_string(with_keys) + " present, got " + std::to_string(keys.size()));
  }
  const std::byte* from = keys.data();
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t row = present_.size();
    if (row / chunk_rows == chunks_.size()) {
      chunks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(width_ * chunk_rows));
    }
    const bool has_keys = is_present(i);
    if (has_keys) {
      std::uint64_t* to = chunks_.back().get() + row % chunk_rows;
      for (std::size_t column = 0; column < width_; ++column) {
        std::memcpy(to + column * chunk_rows, from + column * sizeof(std::uint64_t), sizeof(std::uint64_t));
      }
    }
    if (has_keys || !leaves_out_absent) from += row_bytes;
    present_.push_back(has_keys ? 1 : 0);
  }
}

std::size_t RowKeys::used_bytes() const noexcept {
  return chunks_.size() * chunk_rows * width_ * sizeof(std::uint64_t) + present_.capacity();
}

void RowKeys::check(RowMask alive) const {
  if (alive.data() == nullptr || alive.size() == rows()) return;
  throw UserError("alive must have one byte per row (" + std::to_string(rows()) + "), got " + std::to_string(alive.size()));
}

}  // namespace djfast
