// Memory for the bytes that a batch computes.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace djfast {

/// Bump allocator: bytes stay at their address until the arena dies with its batch.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  Arena(Arena&&) noexcept = default;
  Arena& operator=(Arena&&) noexcept = default;

  /// Room for `size` bytes; not zeroed, not aligned. 64 readable bytes follow every allocation.
  char* allocate(std::size_t size) {
    char* room = reserve(size);
    commit(size);
    return room;
  }

  /// Room for up to `size` bytes at a stable address. Nothing is taken until `commit`.
  char* reserve(std::size_t size) {
    if (size + padding > room_) grow(size + padding);
    return next_;
  }

  /// Takes the first `size` bytes of the last `reserve`.
  void commit(std::size_t size) noexcept {
    next_ += size;
    room_ -= size;
    used_ += size;
  }

  /// Room for `count` values, to be written before they are read.
  template <class Value>
  std::span<Value> array(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<Value>);
    void* room = reserve(count * sizeof(Value) + alignof(Value));
    std::size_t left = room_;
    std::align(alignof(Value), count * sizeof(Value), room, left);
    commit(room_ - left + count * sizeof(Value));
    return {static_cast<Value*>(room), count};
  }

  /// A copy of `text` that lives as long as the arena.
  std::string_view copy(std::string_view text) {
    char* room = allocate(text.size());
    if (!text.empty()) std::memcpy(room, text.data(), text.size());
    return {room, text.size()};
  }

  std::size_t used_bytes() const noexcept { return used_; }

 private:
  static constexpr std::size_t padding = 64;
  static constexpr std::size_t chunk_bytes = 1 << 20;

  void grow(std::size_t size) {
    const std::size_t bytes = size > chunk_bytes ? size : chunk_bytes;
    chunks_.push_back(std::unique_ptr<char[]>(new char[bytes]));  // not zeroed on purpose
    next_ = chunks_.back().get();
    room_ = bytes;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t room_ = 0;
  std::size_t used_ = 0;
};

}  // namespace djfast
