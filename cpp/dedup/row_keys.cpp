// The keys of all rows: in memory, or in a file where they take too much of it.
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "djfast/duplicate_groups.hpp"
#include "djfast/errors.hpp"

namespace djfast {
namespace {

/// Reads or writes `size` bytes at a place of a file.
template <class Call, class Byte>
void transfer(Call call, int file, Byte* bytes, std::size_t size, std::size_t place) {
  while (size > 0) {
    const auto done = call(file, bytes, size, static_cast<off_t>(place));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) throw std::system_error(done < 0 ? errno : EIO, std::generic_category());
    bytes += done;
    place += static_cast<std::size_t>(done);
    size -= static_cast<std::size_t>(done);
  }
}

}  // namespace

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
      if (file_ >= 0 && used_bytes() + chunk_bytes() > most_bytes_) spill();
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
  return (chunks_.size() - spilled_) * chunk_bytes() + present_.capacity();
}

void RowKeys::spill() {
  for (; spilled_ < chunks_.size(); ++spilled_) {
    transfer(::pwrite, file_, reinterpret_cast<const char*>(chunks_[spilled_].get()), chunk_bytes(), spilled_ * chunk_bytes());
    chunks_[spilled_].reset();
  }
}

void RowKeys::Column::load(std::size_t chunk) {
  chunk_ = chunk;
  if (chunk >= keys_.spilled_) {
    values_ = keys_.chunks_[chunk].get() + column_ * chunk_rows;
    return;
  }
  read_.resize(chunk_rows);
  constexpr std::size_t column_bytes = chunk_rows * sizeof(std::uint64_t);
  transfer(::pread, keys_.file_, reinterpret_cast<char*>(read_.data()), column_bytes,
           chunk * keys_.chunk_bytes() + column_ * column_bytes);
  values_ = read_.data();
}

std::size_t RowKeys::rounds(std::size_t row_bytes) const noexcept {
  constexpr std::size_t most_rounds = 64;  // each reads all keys
  const std::size_t bytes = rows() * row_bytes;
  if (spilled_ == 0 || bytes <= most_bytes_) return 1;
  return bytes / most_rounds >= most_bytes_ ? most_rounds : std::bit_ceil(bytes / most_bytes_ + 1);
}

void RowKeys::check(RowMask alive) const {
  if (alive.data() == nullptr || alive.size() == rows()) return;
  throw UserError("alive must have one byte per row (" + std::to_string(rows()) + "), got " +
                  std::to_string(alive.size()));
}

}  // namespace djfast
