// Inner kernels of layer_norm: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

#include "f2i/f2i.h"

namespace f2i::cpu {

template <class T> struct NormOfRow {
  bool stable; // divided by its signed maximum first
  T eps;
  f2i_activation_kind activation;
  const T *gain, *bias; // may be null
};

template <class T> struct LayerNormKernels {
  /// One row; y may be x.
  void (*row)(const NormOfRow<T> &norm, const T *x, int64_t n, T *y);
};

extern const LayerNormKernels<float> layer_norm_f32_portable, layer_norm_f32_avx2, layer_norm_f32_avx512;
extern const LayerNormKernels<double> layer_norm_f64_portable, layer_norm_f64_avx2, layer_norm_f64_avx512;

} // namespace f2i::cpu
