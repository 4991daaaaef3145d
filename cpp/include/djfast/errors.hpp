// The two kinds of C++ error: the caller can fix it, or we have a bug.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace djfast {

/// The caller's mistake: becomes a DjfastError that is a ValueError, too.
struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A model file that cannot be used: becomes djfast's ModelError.
struct ModelError : UserError {
  using UserError::UserError;
};

/// Data whose columns or types cannot be read: becomes djfast's SchemaError.
struct SchemaError : UserError {
  using UserError::UserError;
};

/// Our mistake, reported as a bug: becomes djfast's InternalError.
struct InternalError : std::logic_error {
  using std::logic_error::logic_error;
};

/// Rows that could not be processed. A bad row is data, not an exception: it leaves the batch with its reason.
class RowErrors {
 public:
  struct Entry {
    std::uint32_t row;
    std::string reason;
  };
  void add(std::uint32_t row, std::string reason) { entries_.push_back({row, std::move(reason)}); }
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  bool empty() const noexcept { return entries_.empty(); }
  std::vector<Entry> take() && noexcept { return std::move(entries_); }
  void clear() noexcept { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace djfast
