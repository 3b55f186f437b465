// Inner kernels of standardize: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

struct StandardizeKernels {
  /// y[j] = (x[j] - mean[j]) / std[j], 0 where std[j] is 0; a null mean or std is 0 or 1. y may be x.
  void (*row_f32)(const float *x, const float *mean, const float *std, int64_t n, float *y);
  void (*row_f64)(const double *x, const double *mean, const double *std, int64_t n, double *y);
};

extern const StandardizeKernels standardize_portable, standardize_avx2, standardize_avx512;

} // namespace f2i::cpu
