// Values in Thrift's compact form, in which Parquet files describe themselves, read without trust.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "djfast/errors.hpp"

namespace djfast::parquet::thrift {

// Types of values in Thrift's compact form.
enum : int { true_ = 1, false_ = 2, byte_ = 3, i16 = 4, i32 = 5, i64 = 6, double_ = 7, binary = 8, list = 9, set = 10, map = 11, struct_ = 12 };

constexpr int max_depth = 32;

/// Reads values from front to back; whoever needs none of a value skips it.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  /// Calls `take(field, type)` for each field of the struct that starts here: it reads the value, or returns false to skip it.
  template <class Take>
  void fields(Take take, int depth = 0) {
    if (depth > max_depth) fail();
    for (std::int64_t field = 0;;) {
      const int head = byte();
      if (head == 0) return;
      field = head >> 4 == 0 ? number() : field + (head >> 4);
      if (field != static_cast<std::int16_t>(field)) fail();
      if (!take(field, head & 15)) skip(head & 15, depth, /*is_element=*/false);
    }
  }

  /// Calls `take()` for each element of the list that starts here, to read it.
  template <class Take>
  void elements(Take take) {
    for (auto [count, type] = list_head(); count > 0; --count) {
      if (type != struct_) fail();
      take();
    }
  }

  /// An integer of any width.
  std::int64_t number() {
    const std::uint64_t bits = varint();
    return static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
  }

  /// Bytes that are not read yet.
  std::size_t left() const { return bytes_.size(); }

 private:
  struct ListHead {
    std::uint64_t count;
    int type;
  };

  [[noreturn]] static void fail() { throw UserError("the metadata of the Parquet file is damaged"); }

  int byte() {
    if (bytes_.empty()) fail();
    const auto value = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto part = static_cast<std::uint64_t>(byte());
      value |= (part & 0x7F) << shift;
      if (part < 0x80) return value;
    }
    fail();
  }

  void pass(std::uint64_t bytes) {
    if (bytes > bytes_.size()) fail();
    bytes_.remove_prefix(bytes);
  }

  ListHead list_head() {
    const int head = byte();
    return {head >> 4 == 15 ? varint() : static_cast<std::uint64_t>(head >> 4), head & 15};
  }

  void skip(int type, int depth, bool is_element) {
    if (depth > max_depth) fail();
    switch (type) {
      case true_:
      case false_: return pass(is_element ? 1 : 0);
      case byte_: return pass(1);
      case i16:
      case i32:
      case i64: return static_cast<void>(varint());
      case double_: return pass(8);
      case binary: return pass(varint());
      case list:
      case set: {
        for (auto [count, of] = list_head(); count > 0; --count) skip(of, depth + 1, true);
        return;
      }
      case map: {
        const std::uint64_t count = varint();
        const int types = count == 0 ? 0 : byte();
        for (std::uint64_t i = 0; i < count; ++i) {
          skip(types >> 4, depth + 1, true);
          skip(types & 15, depth + 1, true);
        }
        return;
      }
      case struct_: return fields([](std::int64_t, int) { return false; }, depth + 1);
      default: fail();
    }
  }

  std::string_view bytes_;
};

}  // namespace djfast::parquet::thrift
