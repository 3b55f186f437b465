// Inner kernels of the activation functions: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

#include "f2i/f2i.h"

namespace f2i::cpu {

template <class T> struct ActivationKernels {
  /// y[j] = kind(x[j]). y may be x.
  void (*row)(f2i_activation_kind kind, const T *x, int64_t n, T *y);
  /// y[j] = x[j] kind(gate[j]).
  void (*gated)(f2i_activation_kind kind, const T *x, const T *gate, int64_t n, T *y);
  /// y[j] = kind(y[j] + bias[j]) + residual[j]; bias and residual may be null.
  void (*finish)(f2i_activation_kind kind, const T *bias, const T *residual, int64_t n, T *y);
  /// The same with one bias for all.
  void (*finish_channel)(f2i_activation_kind kind, T bias, const T *residual, int64_t n, T *y);
};

extern const ActivationKernels<float> activation_f32_portable, activation_f32_avx2, activation_f32_avx512;
extern const ActivationKernels<double> activation_f64_portable, activation_f64_avx2, activation_f64_avx512;

} // namespace f2i::cpu
