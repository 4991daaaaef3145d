#include "kernels/text/slots.hpp"

#include <algorithm>

#include "kernels/text/per_isa.hpp"

namespace djfast::kernels::text {
namespace {

// An n-gram's hash is the polynomial of its codes at this point, modulo 2^32.
constexpr std::uint32_t hash_point = 0x9E3779B1;
constexpr std::uint32_t slot_factor = 0x85EBCA77;  // brings the last codes into the upper bits, too

#define DJFAST_KERNELS "kernels/text/slots.inl"
#include "kernels/text/each_isa.inl"
#undef DJFAST_KERNELS

}  // namespace

const SlotKernels& slots() noexcept { return for_isa(avx512::kernels, avx2::kernels, serial::kernels); }

}  // namespace djfast::kernels::text
