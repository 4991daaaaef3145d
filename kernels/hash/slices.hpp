// Runs of tokens as slices of their buffer, apart by how many blocks a digest of them takes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/hash/digests.hpp"

namespace djfast::kernels {

/// Where slices go, by the 64-byte blocks that MD5 and SHA-1 make of them: one, two, more. Each list has room for all of
/// them and 8 more.
struct SliceLists {
  Slice* one;
  Slice* two;
  Slice* more;
};

/// Writes `count` runs of `window` tokens to the lists, and moves the pointers to the ends of what was written. `bounds`
/// has start and end of each token; run i begins with token i.
void list_slices(const std::uint32_t* bounds, std::size_t count, std::size_t window, SliceLists& lists) noexcept;

}  // namespace djfast::kernels
