// The inner kernels of the dense linear algebra (gemm, gram, cholesky_factor, cholesky_solve,
// triangular_solve), one table an instruction set and element type. Plain declarations only:
// included by the files that are built for one instruction set.
//
// Packed operands. A is cut into panels of `mr` rows: panel i holds A[i mr + r, p] at [p mr + r].
// B is cut into panels of `nr` columns: panel j holds B[p, j nr + c] at [p nr + c]; the last one is
// filled up to a whole vector with zeros, whose products are never stored. A packed lower triangle
// is packed as A, but its panel i ends with column (i + 1) mr, and its diagonal holds reciprocals.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

/// Where a block of products goes: y = alpha a b + beta c + bias, or y += alpha a b.
template <class T> struct GemmTarget {
  bool accumulate; // y += alpha a b; c and bias are not used
  T alpha, beta;
  T *y;
  int64_t ldy;
  const T *c; // may be y; null: beta is not used
  int64_t ldc;
  const T *bias; // one element a column; null: none
};

template <class T> struct GemmKernel {
  int64_t mr, nr; // register tile
  int64_t kc;     // longest run of k whose products are summed in registers
  int64_t mc;     // rows of packed A that stay in cache while the panels of B pass; a multiple of mr
  int64_t nc;     // columns of packed B that share the L2 cache at kc rows; a multiple of nr
  int64_t small;  // largest block that `factor` takes
  int64_t thin;   // most rows of a thin product
  int64_t thin_size; // most sums of a thin product

  /// Packs m rows of A, element (i, p) at a[i row + p col].
  void (*pack_a)(int64_t m, int64_t k, const T *a, int64_t row, int64_t col, T *packed);
  /// Packs n columns of B, element (p, j) at b[p row + j col].
  void (*pack_b)(int64_t k, int64_t n, const T *b, int64_t row, int64_t col, T *packed);
  /// Packs n columns of B stored in half precision, element (p, j) at b[p + j col]; null in tables of
  /// f64.
  void (*pack_f16)(int64_t k, int64_t n, const void *b, int64_t col, T *packed);
  void (*pack_bf16)(int64_t k, int64_t n, const void *b, int64_t col, T *packed);
  /// The inverse of pack_b.
  void (*unpack_b)(int64_t k, int64_t n, const T *packed, T *b, int64_t row, int64_t col);
  /// target[m, n] from packed A and B. Register tiles that lie wholly in j > i + diagonal are left
  /// out.
  void (*block)(int64_t m, int64_t n, int64_t k, const T *a, const T *b, const GemmTarget<T> *target,
                int64_t diagonal);

  /// Packs a lower triangle [n, n], element (i, p) at l[i row + p col].
  void (*pack_triangle)(int64_t n, const T *l, int64_t row, int64_t col, T *packed);
  /// Solves l x = b in place for a packed triangle l[n, n] and packed b[n, t].
  void (*solve)(int64_t n, int64_t t, const T *triangle, T *b);
  /// Lower Cholesky factor of a[n, n] in place, n <= small; only the lower triangle is used.
  /// Returns n, or the index of the first pivot that is not positive, which goes to *pivot.
  int64_t (*factor)(int64_t n, T *a, int64_t lda, T *pivot);

  /// y[j, i] = x[i, j].
  void (*transpose)(int64_t rows, int64_t cols, const T *x, int64_t ldx, T *y, int64_t ldy);

  /// Thin products, where memory is the limit: x is read once, along its rows, unpacked. sums is
  /// [r, n] without gaps, r <= thin, r n <= thin_size.
  /// sums[i, j] += sum over p of s[p r + i] x[p ldx + j].
  void (*thin_rows)(int64_t r, int64_t n, int64_t k, const T *s, const T *x, int64_t ldx, T *sums);
  /// sums[i, j] += sum over p of s[i lds + p] x[j ldx + p].
  void (*thin_dots)(int64_t r, int64_t n, int64_t k, const T *s, int64_t lds, const T *x, int64_t ldx,
                    T *sums);
};

extern const GemmKernel<float> gemm_f32_portable, gemm_f32_avx2, gemm_f32_avx512;
extern const GemmKernel<double> gemm_f64_portable, gemm_f64_avx2, gemm_f64_avx512;

} // namespace f2i::cpu
