// Inner kernels of top_k: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

/// Order of the entries as signed integers of the same size: larger is better, NaN is the least of
/// all, -0 equals 0. sign is 1 for the largest entries first, -1 for the smallest.
struct TopKKernels {
  void (*keys_f32)(const float *x, int64_t n, float sign, int32_t *keys);
  void (*keys_f64)(const double *x, int64_t n, double sign, int64_t *keys);
  /// The start of the first run of top_k_run entries in [i, n) that holds a key above `bound`; n if
  /// there is none. The last run may be shorter.
  int64_t (*find_f32)(const float *x, int64_t i, int64_t n, float sign, int32_t bound);
  int64_t (*find_f64)(const double *x, int64_t i, int64_t n, double sign, int64_t bound);
};

constexpr int64_t top_k_run = 64;

extern const TopKKernels top_k_portable, top_k_avx2, top_k_avx512;

} // namespace f2i::cpu
