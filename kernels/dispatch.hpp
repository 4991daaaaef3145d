// Which vector instructions this process uses.
#pragma once

namespace djfast::kernels {

/// Levels of x86 vector instructions, weakest first. Other processors are `serial`.
enum class Isa { serial, avx2, avx512 };

/// The strongest level this processor runs, lowered by the environment variable DJFAST_ISA
/// (serial, avx2, avx512). Read once.
Isa best_isa() noexcept;

/// The level kernels use now: `best_isa()` unless a test has forced a lower one.
Isa active_isa() noexcept;

/// Forces a level for the whole process; used by tests that compare implementations. Levels above
/// `best_isa()` are lowered to it.
void force_isa(Isa isa) noexcept;

}  // namespace djfast::kernels

// A kernel is written once as an always-inlined body and compiled once per level: the wrapper that carries the target
// attribute inlines the body, so the same source becomes AVX2 and AVX-512 code without per-file compiler flags
// (which would leak vector copies of inline std functions into the whole binary).
#if defined(__x86_64__)
#define DJFAST_X86 1
#define DJFAST_AVX2 [[gnu::target("avx2,bmi,bmi2,lzcnt,popcnt,fma")]]
#define DJFAST_AVX512 \
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,lzcnt,popcnt,fma")]]
#else
#define DJFAST_X86 0
#endif
#define DJFAST_INLINE [[gnu::always_inline]] inline
