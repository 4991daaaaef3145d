#include "kernels/dispatch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>

namespace djfast::kernels {
namespace {

Isa supported() noexcept {
#if DJFAST_X86
  if (__builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0) {
    return Isa::avx512;
  }
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi2") != 0) return Isa::avx2;
#endif
  return Isa::serial;
}

Isa ceiling() noexcept {
  const char* asked = std::getenv("DJFAST_ISA");
  if (asked == nullptr) return Isa::avx512;
  if (std::string_view{asked} == "serial") return Isa::serial;
  return std::string_view{asked} == "avx2" ? Isa::avx2 : Isa::avx512;
}

std::atomic<int>& forced() noexcept {
  static std::atomic<int> level{static_cast<int>(best_isa())};
  return level;
}

}  // namespace

Isa best_isa() noexcept {
  static const Isa best = std::min(supported(), ceiling());
  return best;
}

Isa active_isa() noexcept { return static_cast<Isa>(forced().load(std::memory_order_relaxed)); }

void force_isa(Isa isa) noexcept { forced().store(static_cast<int>(std::min(isa, best_isa()))); }

}  // namespace djfast::kernels
