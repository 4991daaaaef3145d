// Where fastText's reader ends a token.
#pragma once

#include <cstddef>
#include <cstdint>

namespace djfast::kernels {

/// Marks the bytes that separate fastText's tokens: NUL, \t \n \v \f \r and space. Bit `i % 64` of `bits[i / 64]`
/// belongs to `text[i]`; bits past `size` are zero. `bits` has room for (size + 63) / 64 words; nothing is read past
/// `text + size`.
void mark_separators(const char* text, std::size_t size, std::uint64_t* bits) noexcept;

namespace serial {
void mark_separators(const char* text, std::size_t size, std::uint64_t* bits) noexcept;
}

}  // namespace djfast::kernels
