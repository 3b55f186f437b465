// Inner kernels of linear: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

template <class T> struct LinearKernels {
  /// sums[i n + j] = sum over p of x[i ldx + p] w[j ldw + p] for r rows of x and n of w. w is read once,
  /// from where it lies: of the type of the table, of f16 and of bf16 (f32 alone).
  void (*dots)(int64_t r, int64_t n, int64_t k, const T *x, int64_t ldx, const void *w, int64_t ldw, T *sums);
  void (*dots_f16)(int64_t r, int64_t n, int64_t k, const T *x, int64_t ldx, const void *w, int64_t ldw,
                   T *sums);
  void (*dots_bf16)(int64_t r, int64_t n, int64_t k, const T *x, int64_t ldx, const void *w, int64_t ldw,
                    T *sums);
};

extern const LinearKernels<float> linear_f32_portable, linear_f32_avx2, linear_f32_avx512;
extern const LinearKernels<double> linear_f64_portable, linear_f64_avx2, linear_f64_avx512;

} // namespace f2i::cpu
