// Entries of a container that stay as the memory was until they are used.
#pragma once

#include <new>
#include <utility>

namespace djfast {

/// Base of allocators whose containers leave the entries that a new size adds as the memory was: what is made for the most
/// that could come is not written before it is used, and takes no memory until then.
struct LeavesUnwritten {
  template <class Value, class... Arguments>
  void construct(Value* place, Arguments&&... arguments) {
    if constexpr (sizeof...(Arguments) == 0) {
      ::new (static_cast<void*>(place)) Value;
    } else {
      ::new (static_cast<void*>(place)) Value(std::forward<Arguments>(arguments)...);
    }
  }
};

}  // namespace djfast
