// Inner kernels of resize2d: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

/// The taps of some positions along one axis, in the type of the values.
template <class T> struct TapsOf {
  const int32_t *first;
  const T *weights; // [outputs, count]
  int64_t outputs, count;
};

template <class T> struct Resize2dKernels {
  /// y[i, j] = sum over p of weights[i, p] x[first[i] + p, j] for j < n; taps of weight 0 are left out.
  void (*blend)(const TapsOf<T> &taps, int64_t n, const T *x, int64_t ldx, T *y, int64_t ldy);
};

extern const Resize2dKernels<float> resize2d_f32_portable, resize2d_f32_avx2, resize2d_f32_avx512;
extern const Resize2dKernels<double> resize2d_f64_portable, resize2d_f64_avx2, resize2d_f64_avx512;

} // namespace f2i::cpu
