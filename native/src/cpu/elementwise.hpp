// Inner kernels of elementwise: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

#include "f2i/f2i.h"

namespace f2i::cpu {

struct ElementwiseKernels {
  /// y[j] = a[j] kind b[j], or a[j] kind *scalar where b is null; unary kinds ignore both. y may be a
  /// (or b). max and min give NaN where either is NaN.
  void (*row_f32)(f2i_elementwise_kind kind, const float *a, const float *b, float scalar, int64_t n,
                  float *y);
  void (*row_f64)(f2i_elementwise_kind kind, const double *a, const double *b, double scalar, int64_t n,
                  double *y);
  /// Wraps around on overflow; div, sqrt, exp and log do nothing.
  void (*row_i32)(f2i_elementwise_kind kind, const int32_t *a, const int32_t *b, int32_t scalar, int64_t n,
                  int32_t *y);
};

extern const ElementwiseKernels elementwise_portable, elementwise_avx2, elementwise_avx512;

} // namespace f2i::cpu
