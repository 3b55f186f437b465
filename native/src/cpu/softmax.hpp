// Inner kernels of softmax: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

template <class T> struct SoftmaxKernels {
  /// One row, or its logarithm; y may be x.
  void (*row)(bool log, const T *x, int64_t n, T *y);
};

extern const SoftmaxKernels<float> softmax_f32_portable, softmax_f32_avx2, softmax_f32_avx512;
extern const SoftmaxKernels<double> softmax_f64_portable, softmax_f64_avx2, softmax_f64_avx512;

} // namespace f2i::cpu
