// One batch of rows on its way through a program.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "djfast/arena.hpp"
#include "djfast/column.hpp"
#include "djfast/errors.hpp"
#include "djfast/json_lines.hpp"

namespace djfast {

/// A row that left the batch because it could not be processed.
struct Rejection {
  std::uint32_t row;
  std::int32_t op;  // index of the OP in the recipe; -1: the row could not be read
  std::string reason;
};

/// Rows entering and leaving one step of an OP, and the time it took; the report adds them up.
struct StepCount {
  std::int32_t op;
  std::uint32_t rows_in;
  std::uint32_t rows_out;
  std::int64_t nanoseconds;
};

/// Rows, their columns in numbered slots, and which rows are still alive. The input bytes that columns point into are
/// kept alive by whoever made the batch.
class Batch {
 public:
  Batch(std::size_t row_count, std::size_t slot_count);

  /// A batch of JSON lines; slot i holds the field of path i: unescaped texts for the first `text_count` paths, whose rows
  /// are rejected when the field is not a string, raw JSON (empty when missing) for the others. Lines that are `unread` are
  /// rejected for the reasons given there, whatever they hold.
  static std::unique_ptr<Batch> from_json_lines(std::string_view block, std::span<const std::string> paths,
                                                std::size_t text_count, std::size_t slot_count, RowErrors unread = {});

  std::size_t row_count() const noexcept { return row_count_; }
  const std::vector<std::uint32_t>& alive() const noexcept { return alive_; }
  Arena& arena() noexcept { return arena_; }

  const Column& column(std::size_t slot) const { return slots_.at(slot); }
  const Column* pointer(std::size_t slot) const { return &slots_.at(slot); }
  void set_column(std::size_t slot, Column column) { slots_.at(slot) = std::move(column); }

  /// Takes rows out of the batch and remembers why.
  void reject(RowErrors errors, std::int32_t op);
  /// Keeps the alive rows where `kept` is true.
  void keep(const Booleans& kept);
  void count(StepCount step) { counts_.push_back(step); }
  /// Notes which OP works on the batch; another thread may ask.
  void begin(std::int32_t op) noexcept { current_op_.store(op, std::memory_order_relaxed); }
  std::int32_t current_op() const noexcept { return current_op_.load(std::memory_order_relaxed); }
  /// Takes all rows but these out of the batch; nothing is remembered of the others.
  void keep_only(const std::vector<std::uint32_t>& rows);

  const std::vector<Rejection>& rejections() const noexcept { return rejections_; }
  const std::vector<StepCount>& counts() const noexcept { return counts_; }
  const json::Lines& lines() const noexcept { return lines_; }

 private:
  std::size_t row_count_;
  std::vector<std::uint32_t> alive_;
  std::vector<Column> slots_;
  Arena arena_;
  json::Lines lines_;  // empty unless the batch was made from JSON lines
  std::vector<Rejection> rejections_;
  std::vector<StepCount> counts_;
  std::atomic<std::int32_t> current_op_ = -1;
};

}  // namespace djfast
