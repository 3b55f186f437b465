// Dense kernels for AVX-512. A tile of 12 x 2 vectors uses 24 of 32 registers for sums: 24
// multiply-adds for 14 loads a step. A panel of A (12 x kc) stays in L1, a block of B (kc x nc) in
// L2.
#include "cpu/gemm_kernel.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include "cpu/half.inc"

#define F2I_UNROLL _Pragma("GCC unroll 32")

namespace f2i::cpu {
namespace {
namespace f32 {

using T = float;
using V = __m512;
constexpr int lanes = 16, quad = 8, tile_rows = 12, tile_vectors = 2;
constexpr int64_t block_k = 480, block_rows = tile_rows, block_cols = 256, small_block = 48;

static inline V load(const T *x) { return _mm512_loadu_ps(x); }
static inline void store(T *x, V v) { _mm512_storeu_ps(x, v); }
static inline V broadcast(T x) { return _mm512_set1_ps(x); }
static inline V mul(V a, V b) { return _mm512_mul_ps(a, b); }
static inline V add(V a, V b) { return _mm512_add_ps(a, b); }
static inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
static inline V fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
static inline T square_root(T x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

#include "cpu/gemm_transpose_f32.inc"
#include "cpu/gemm_kernel.inc"

} // namespace f32

namespace f64 {

using T = double;
using V = __m512d;
constexpr int lanes = 8, quad = 4, tile_rows = 12, tile_vectors = 2;
constexpr int64_t block_k = 256, block_rows = tile_rows, block_cols = 240, small_block = 48;

static inline V load(const T *x) { return _mm512_loadu_pd(x); }
static inline void store(T *x, V v) { _mm512_storeu_pd(x, v); }
static inline V broadcast(T x) { return _mm512_set1_pd(x); }
static inline V mul(V a, V b) { return _mm512_mul_pd(a, b); }
static inline V add(V a, V b) { return _mm512_add_pd(a, b); }
static inline V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
static inline V fnma(V a, V b, V c) { return _mm512_fnmadd_pd(a, b, c); }
static inline T square_root(T x) { return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_set_sd(x), _mm_set_sd(x))); }

#include "cpu/gemm_transpose_f64.inc"
#include "cpu/gemm_kernel.inc"

} // namespace f64
} // namespace

extern constinit const GemmKernel<float> gemm_f32_avx512 = f32::table;
extern constinit const GemmKernel<double> gemm_f64_avx512 = f64::table;

} // namespace f2i::cpu
#endif
