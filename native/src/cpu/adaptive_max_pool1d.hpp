// Inner kernels of adaptive_max_pool1d: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

/// Rows that are pooled side by side, one to a lane.
constexpr int64_t pooled_rows = 16;

template <class T> struct AdaptiveMaxPool1dKernels {
  /// Raises y[i, r], the maximum so far of window i of row r, by what lies in positions [begin, end) of
  /// it: x[j - begin, r] is position j of row r, and window i has the positions [from[i], to[i]).
  void (*raise)(int64_t windows, const int64_t *from, const int64_t *to, int64_t begin, int64_t end, const T *x, T *y);
};

extern const AdaptiveMaxPool1dKernels<float> adaptive_max_pool1d_f32_portable, adaptive_max_pool1d_f32_avx2,
    adaptive_max_pool1d_f32_avx512;
extern const AdaptiveMaxPool1dKernels<double> adaptive_max_pool1d_f64_portable, adaptive_max_pool1d_f64_avx2,
    adaptive_max_pool1d_f64_avx512;

} // namespace f2i::cpu
