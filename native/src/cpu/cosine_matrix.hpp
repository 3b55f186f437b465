// Inner kernels of cosine_matrix: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

struct CosineMatrixKernels {
  /// y = x / |x| with the norm in f64, whatever the magnitude of x; 0 where x is 0.
  void (*unit_f32)(const float *x, int64_t n, float *y);
  void (*unit_f64)(const double *x, int64_t n, double *y);
  /// Moves what rounding put outside [-1, 1] back; NaN stays.
  void (*clamp_f32)(float *y, int64_t n);
  void (*clamp_f64)(double *y, int64_t n);
};

extern const CosineMatrixKernels cosine_matrix_portable, cosine_matrix_avx2, cosine_matrix_avx512;

} // namespace f2i::cpu
