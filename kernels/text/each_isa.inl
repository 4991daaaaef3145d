// Compiles the source that DJFAST_KERNELS names once per instruction set, into namespaces serial, avx2 and avx512.

namespace serial {
#define DJFAST_TARGET
#define DJFAST_VECTOR_BITS 0
#include DJFAST_KERNELS
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace serial

#if DJFAST_X86
namespace avx2 {
#define DJFAST_TARGET DJFAST_AVX2
#define DJFAST_VECTOR_BITS 256
#include DJFAST_KERNELS
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace avx2

namespace avx512 {
#define DJFAST_TARGET DJFAST_AVX512
#define DJFAST_VECTOR_BITS 512
#include DJFAST_KERNELS
#undef DJFAST_TARGET
#undef DJFAST_VECTOR_BITS
}  // namespace avx512
#else
namespace avx2 = serial;
namespace avx512 = serial;
#endif
