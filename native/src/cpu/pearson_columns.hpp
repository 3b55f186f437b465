// Inner kernels of pearson_columns: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

/// Co-moments of two columns: means and sums of (products of) deviations.
struct CoMoments {
  double *mean_a, *mean_b, *aa, *bb, *ab;
};

struct PearsonColumnsKernels {
  /// Adds a block of rows of a and b to the moments of `before` rows; before = 0 sets them.
  void (*add_f32)(const float *a, int64_t lda, const float *b, int64_t ldb, int64_t rows, int64_t cols,
                  double before, const CoMoments *moments);
  void (*add_f64)(const double *a, int64_t lda, const double *b, int64_t ldb, int64_t rows, int64_t cols,
                  double before, const CoMoments *moments);
};

/// The widest block of columns, and the most rows, of one call.
constexpr int64_t pearson_columns_cols = 512, pearson_columns_rows = 64;

extern const PearsonColumnsKernels pearson_columns_portable, pearson_columns_avx2, pearson_columns_avx512;

} // namespace f2i::cpu
