// Inner kernels of eigh: plain declarations, one table an instruction set and element type.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

/// The secular equation 1/rho + sum_j z_j^2 / (d_j - lambda) = 0, split after its first poles:
/// value and derivative of both parts, with lambda = origin + mu.
struct SecularSums {
  double psi, psi_slope; // poles [0, split)
  double phi, phi_slope; // poles [split, count)
};

template <class T> struct EighKernel {
  /// y += a x for rows [first, end) of the symmetric matrix whose lower triangle is a: their products
  /// with x[0, end), and those of their transposes; y has `end` elements.
  void (*symv)(int64_t first, int64_t end, const T *a, int64_t lda, const T *x, T *y);
  /// y[j] -= sum_k factors[k] rows[k ld + j] for j < n.
  void (*subtract_rows)(int64_t count, const T *factors, const T *rows, int64_t ld, int64_t n, T *y);
  /// out[k] = sum_j rows[k ld + j] x[j] for j < n.
  void (*dot_rows)(int64_t count, const T *rows, int64_t ld, int64_t n, const T *x, T *out);
  /// (x, y) = (c x + s y, c y - s x).
  void (*rotate)(int64_t n, T c, T s, T *x, T *y);
  /// y = scale x, in f64.
  void (*scale)(int64_t n, double factor, const T *x, T *y);

  void (*secular)(int64_t count, int64_t split, const double *d, const double *z, double origin, double mu,
                  SecularSums *sums);
  /// product[j] *= (lambda_i - d_j) / (d_i - d_j) over roots i != first + j of [0, roots), and
  /// (lambda_i - d_j) for i = first + j: z_j^2 of Gu & Eisenstat for poles [first, first + count).
  void (*reweigh)(int64_t roots, int64_t first, int64_t count, const double *d, const double *origin,
                  const double *mu, double *product);
  /// The unit eigenvector z_j / (d_j - lambda); `work` has room for count numbers.
  void (*eigenvector)(int64_t count, const double *d, const double *z, double origin, double mu, double *work,
                      T *out);
};

extern const EighKernel<float> eigh_f32_portable, eigh_f32_avx2, eigh_f32_avx512;
extern const EighKernel<double> eigh_f64_portable, eigh_f64_avx2, eigh_f64_avx512;

} // namespace f2i::cpu
