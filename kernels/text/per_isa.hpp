// One kernel source per topic (`topic.inl`) becomes one namespace per instruction set: `topic.cpp` names it for
// each_isa.inl, and `for_isa` picks the entry of the level in use.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "kernels/dispatch.hpp"

#if DJFAST_X86
#include <immintrin.h>
#endif

namespace djfast::kernels::text {

/// The table of kernels for the instruction set in use.
template <class Kernels>
const Kernels& for_isa([[maybe_unused]] const Kernels& avx512, [[maybe_unused]] const Kernels& avx2,
                       const Kernels& serial) noexcept {
#if DJFAST_X86
  switch (active_isa()) {
    case Isa::avx512: return avx512;
    case Isa::avx2: return avx2;
    case Isa::serial: break;
  }
#endif
  return serial;
}

}  // namespace djfast::kernels::text
