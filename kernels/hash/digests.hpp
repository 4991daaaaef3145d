// MD5 (RFC 1321) and SHA-1 (RFC 3174) of many messages at once, one message in each vector lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace djfast::kernels {

/// A message inside a larger buffer.
struct Slice {
  std::uint32_t start;
  std::uint32_t size;
};

/// prefixes[i] = the first four bytes of SHA-1(slice i), read as a little-endian number. At least 64 bytes must be
/// readable after the end of every slice. Slices of about equal length should stand together: a group of lanes takes as
/// long as its longest message.
void sha1_prefixes(const char* buffer, std::span<const Slice> slices, std::uint32_t* prefixes) noexcept;

/// prefixes[i] = the first eight bytes of MD5(slice i), read as a big-endian number. Otherwise as `sha1_prefixes`.
void md5_prefixes(const char* buffer, std::span<const Slice> slices, std::uint64_t* prefixes) noexcept;

/// digests[16 * i .. 16 * i + 15] = MD5(messages[i]). Nothing is read past the messages' ends.
void md5_digests(std::span<const std::string_view> messages, std::uint8_t* digests) noexcept;

}  // namespace djfast::kernels
