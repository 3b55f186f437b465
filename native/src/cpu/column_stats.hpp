// Inner kernels of column_stats: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

struct ColumnStatsKernels {
  /// Mean and sum of squared deviations of each column of a block of rows, which are added (see
  /// column_stats.cpp) to those of `before` rows in mean and m2; before = 0 sets them.
  void (*add_f32)(const float *x, int64_t ld, int64_t rows, int64_t cols, double before, double *mean,
                  double *m2);
  void (*add_f64)(const double *x, int64_t ld, int64_t rows, int64_t cols, double before, double *mean,
                  double *m2);
};

/// The widest block of columns, and the most rows, of one call.
constexpr int64_t column_stats_cols = 1024, column_stats_rows = 64;

extern const ColumnStatsKernels column_stats_portable, column_stats_avx2, column_stats_avx512;

} // namespace f2i::cpu
