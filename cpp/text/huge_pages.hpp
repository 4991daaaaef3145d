// Memory for large tables that are read at random places.
#pragma once

#include <cstddef>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "djfast/unwritten.hpp"

namespace djfast {

/// Allocator that asks the system for 2 MiB pages when a table is that large: random reads of 4 KiB pages wait for
/// address translation more than for the data.
template <class T>
struct HugePages : LeavesUnwritten {
  using value_type = T;

  HugePages() = default;
  template <class Other>
  HugePages(const HugePages<Other>&) noexcept {}

  T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length{};
    const std::size_t bytes = count * sizeof(T);
    void* memory = ::operator new(bytes, alignment(bytes));
#if defined(__linux__)
    if (bytes >= page_bytes) ::madvise(memory, bytes, MADV_HUGEPAGE);  // a hint: refusal changes nothing
#endif
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) noexcept { ::operator delete(memory, alignment(count * sizeof(T))); }

  friend bool operator==(const HugePages&, const HugePages&) noexcept { return true; }

 private:
  static constexpr std::size_t page_bytes = std::size_t{2} << 20;
  static std::align_val_t alignment(std::size_t bytes) noexcept {
    return std::align_val_t{bytes >= page_bytes ? page_bytes : alignof(T) > 64 ? alignof(T) : 64};
  }
};

}  // namespace djfast
