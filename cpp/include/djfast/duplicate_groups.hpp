// Which rows are duplicates of an earlier row: groups of rows found from the keys that functions computed.
//
// Rows are numbered from 0 in the order they are added. A group keeps its first row. Rows can lack keys: they are kept
// and link no others. State is the keys themselves and one byte per row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "djfast/pulse.hpp"

namespace djfast {

/// One byte per row, 0 or 1.
using RowMask = std::span<const std::uint8_t>;

/// The keys of all rows, `width` 64-bit numbers each, kept column by column because they are read so.
class RowKeys {
 public:
  explicit RowKeys(std::size_t width) : width_(width) {}

  /// Appends rows. `keys` holds the bytes of 64-bit numbers in native order, row after row: of all rows, or without
  /// those of rows that are not `present`. Without a mask (no data) all rows are present. UserError when sizes
  /// disagree.
  void add(std::span<const std::byte> keys, std::size_t rows, RowMask present);

  /// From now on, keys that take more than `most_bytes` are written to a file, which must stay open. Reading and writing it
  /// may throw std::system_error.
  void spill_to(int file, std::size_t most_bytes) noexcept {
    file_ = file;
    most_bytes_ = most_bytes;
  }

  std::size_t rows() const noexcept { return present_.size(); }
  std::size_t width() const noexcept { return width_; }
  std::size_t used_bytes() const noexcept;
  bool has(std::size_t row) const noexcept { return present_[row] != 0; }

  /// One column, quick to read in the order of the rows. It must not outlive the keys.
  class Column {
   public:
    Column(const RowKeys& keys, std::size_t column) : keys_(keys), column_(column) {}
    std::uint64_t operator()(std::size_t row) {
      if (row / chunk_rows != chunk_) load(row / chunk_rows);
      return values_[row % chunk_rows];
    }

   private:
    void load(std::size_t chunk);

    const RowKeys& keys_;
    std::size_t column_;
    std::size_t chunk_ = ~std::size_t{0};
    const std::uint64_t* values_ = nullptr;
    std::vector<std::uint64_t> read_;  // from the file
  };

  Column column(std::size_t column) const { return {*this, column}; }

  /// In how many rounds rows should be compared that take `row_bytes` each: a power of two, 1 unless keys are spilled.
  std::size_t rounds(std::size_t row_bytes) const noexcept;

  /// UserError unless the mask is absent or has one byte for each row.
  void check(RowMask alive) const;

 private:
  static constexpr std::size_t chunk_rows = 1 << 14;

  std::size_t chunk_bytes() const noexcept { return chunk_rows * width_ * sizeof(std::uint64_t); }
  void spill();

  std::size_t width_;
  std::vector<std::unique_ptr<std::uint64_t[]>> chunks_;  // null where in the file, at the same place
  std::size_t spilled_ = 0;                               // chunks in the file
  int file_ = -1;
  std::size_t most_bytes_ = 0;
  std::vector<std::uint8_t> present_;
};

/// Rows with equal 16-byte digests.
class DigestGroups {
 public:
  DigestGroups() : keys_(2) {}
  RowKeys& keys() noexcept { return keys_; }
  /// One byte per row: 1 where the row is alive and no earlier row alive has its digest.
  std::vector<std::uint8_t> resolve(RowMask alive, Pulse pulse = Pulse()) const;

 private:
  RowKeys keys_;
};

/// Rows linked by an equal key in the same band, and rows linked to those, and so on.
class BandGroups {
 public:
  /// With `by_number`, one more key of a row is a signed number (its order kept by flipping the sign bit): of a group the row
  /// with the smallest one stays, not the first.
  explicit BandGroups(std::size_t bands, bool by_number = false);
  RowKeys& keys() noexcept { return keys_; }
  std::vector<std::uint8_t> resolve(RowMask alive, Pulse pulse = Pulse()) const;

 private:
  std::size_t bands_;
  RowKeys keys_;
};

/// Rows linked by 64-bit hashes that differ in at most `distance` bits, and rows linked to those, and so on. Exact: no
/// pair is missed.
class HammingGroups {
 public:
  explicit HammingGroups(int distance);
  RowKeys& keys() noexcept { return keys_; }
  std::vector<std::uint8_t> resolve(RowMask alive, Pulse pulse = Pulse()) const;

 private:
  RowKeys keys_;
  int distance_;
};

}  // namespace djfast
