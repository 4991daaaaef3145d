// Memory that a function uses again from row to row: it belongs to a thread, and what a large row made of it is given back.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "djfast/unwritten.hpp"

namespace djfast {

/// What a thread keeps. Scratch of a thread is listed, so that `release_large` finds it.
class ThreadMemory {
 public:
  ThreadMemory(const ThreadMemory&) = delete;
  ThreadMemory& operator=(const ThreadMemory&) = delete;

  /// Gives back the memory of this thread's vectors that have become large. What they held is lost.
  static void release_large() {
    for (ThreadMemory* each = first_; each != nullptr; each = each->next_) each->release_if_large();
  }

 protected:
  ThreadMemory() noexcept : next_(first_) { first_ = this; }
  ~ThreadMemory() {
    ThreadMemory** place = &first_;
    while (*place != this) place = &(*place)->next_;
    *place = next_;
  }
  virtual void release_if_large() = 0;

 private:
  static inline thread_local ThreadMemory* first_ = nullptr;
  ThreadMemory* next_;
};

/// Allocator for memory of any size, from the heap.
template <class T>
struct Unwritten : std::allocator<T>, LeavesUnwritten {
  template <class Other>
  struct rebind {
    using other = Unwritten<Other>;
  };
};

/// A vector whose memory stays for the next row of a thread unless it is large. Meant to be `thread_local`, or a member of
/// what is; entries that `resize` adds hold anything.
template <class T>
class Scratch final : public std::vector<T, Unwritten<T>>, private ThreadMemory {
 public:
  /// Has at least so many entries from now on. Each vector is asked for itself: any may have been given back.
  T* with_room(std::size_t count) {
    if (this->size() < count) this->resize(count);
    return this->data();
  }

  void release_if_large() override {
    if (this->capacity() * sizeof(T) > large_bytes) std::vector<T, Unwritten<T>>{}.swap(*this);
  }

 private:
  static constexpr std::size_t large_bytes = 1 << 18;
};

}  // namespace djfast
