// Dense kernels for any machine: vectors of 16 bytes by the compiler's vector extension, which it
// maps to SSE2, NEON or plain scalars. 4 x 2 vectors of sums suit 16 registers.
#include "cpu/gemm_kernel.hpp"
#include "cpu/half.inc"

#define F2I_UNROLL _Pragma("GCC unroll 32")

namespace f2i::cpu {
namespace {
namespace f32 {

using T = float;
typedef T V __attribute__((vector_size(16)));
constexpr int lanes = 4, quad = 4, tile_rows = 4, tile_vectors = 2;
constexpr int64_t block_k = 320, block_rows = 128, block_cols = 256, small_block = 48;
static inline T square_root(T x) { return __builtin_sqrtf(x); }

#include "cpu/gemm_vector_portable.inc"
#include "cpu/gemm_kernel.inc"

} // namespace f32

namespace f64 {

using T = double;
typedef T V __attribute__((vector_size(16)));
constexpr int lanes = 2, quad = 2, tile_rows = 4, tile_vectors = 2;
constexpr int64_t block_k = 256, block_rows = 96, block_cols = 192, small_block = 48;
static inline T square_root(T x) { return __builtin_sqrt(x); }

#include "cpu/gemm_vector_portable.inc"
#include "cpu/gemm_kernel.inc"

} // namespace f64
} // namespace

extern constinit const GemmKernel<float> gemm_f32_portable = f32::table;
extern constinit const GemmKernel<double> gemm_f64_portable = f64::table;

} // namespace f2i::cpu
