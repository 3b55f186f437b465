// Inner kernels of group_norm: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

#include "f2i/f2i.h"

namespace f2i::cpu {

template <class T> struct GroupNormKernels {
  /// Mean of a row, and the sum of squares about it.
  void (*moments)(const T *x, int64_t n, T *mean, T *squares);
  /// y[j] = kind((x[j] - mean) factor + bias); y may be x.
  void (*apply)(f2i_activation_kind kind, const T *x, int64_t n, T mean, T factor, T bias, T *y);
};

extern const GroupNormKernels<float> group_norm_f32_portable, group_norm_f32_avx2, group_norm_f32_avx512;
extern const GroupNormKernels<double> group_norm_f64_portable, group_norm_f64_avx2, group_norm_f64_avx512;

} // namespace f2i::cpu
