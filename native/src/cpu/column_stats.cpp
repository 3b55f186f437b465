// Mean and standard deviation of each column, in one pass over memory: fixed chunks of rows are
// summed in f64 (column_stats.inc), then merged in order, so that the result does not depend on the
// number of threads.
#include "column_stats.hpp"

#include <cmath>

#include "drivers.hpp"
#include "select.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t chunk_rows = 4096;

template <class T> struct StatsRun {
  Exec &ex;
  const ColumnStats &op;
  void (*add)(const T *, int64_t, int64_t, int64_t, double, double *, double *);

  f2i_status operator()() {
    const View &x = op.x;
    const int64_t width = std::min<int64_t>(column_stats_cols, 4096 / sizeof(T));
    const int64_t across = (x.cols + width - 1) / width;
    const int64_t chunks = std::max<int64_t>(1, (x.rows + chunk_rows - 1) / chunk_rows);
    double *mean = ex.scratch_of<double>(chunks * x.cols);
    double *m2 = ex.scratch_of<double>(chunks * x.cols);
    if (!mean || !m2)
      return ex.fail(F2I_OUT_OF_MEMORY, "no room for the sums of %lld columns",
                     static_cast<long long>(x.cols));

    auto sum = [&](int64_t task, int) {
      const int64_t chunk = task / across, c = task % across * width;
      const int64_t first = chunk * chunk_rows, end = std::min(x.rows, first + chunk_rows);
      const int64_t cols = std::min(width, x.cols - c);
      for (int64_t r = first; r < end && !ex.cancelled(); r += column_stats_rows)
        add(x.as<T>() + r * x.ld + c, x.ld, std::min(column_stats_rows, end - r), cols,
            static_cast<double>(r - first), mean + chunk * x.cols + c, m2 + chunk * x.cols + c);
    };
    ex.pool().parallel_for(chunks * across, sum);
    if (ex.cancelled()) return F2I_CANCELLED;

    for (int64_t chunk = 1; chunk < chunks; ++chunk) {
      const double before = static_cast<double>(chunk * chunk_rows);
      const double count = static_cast<double>(std::min(x.rows, (chunk + 1) * chunk_rows)) - before;
      const double share = count / (before + count), weight = before * share;
      const double *chunk_mean = mean + chunk * x.cols, *chunk_m2 = m2 + chunk * x.cols;
      for (int64_t j = 0; j < x.cols; ++j) {
        const double delta = chunk_mean[j] - mean[j];
        mean[j] += delta * share;
        m2[j] += chunk_m2[j] + delta * delta * weight;
      }
    }

    const double divisor = static_cast<double>(x.rows - op.ddof);
    for (int64_t j = 0; j < x.cols; ++j) {
      const bool finite = std::isfinite(mean[j]);
      if (op.mean) op.mean.as<T>()[j] = static_cast<T>(finite ? mean[j] : plain_mean(j));
      if (op.std) op.std.as<T>()[j] = finite ? static_cast<T>(std::sqrt(m2[j] / divisor)) : T(NAN);
    }
    return F2I_OK;
  }

  /// Infinities have a mean although their deviations from it have none.
  double plain_mean(int64_t j) const {
    double sum = 0;
    for (int64_t r = 0; r < op.x.rows; ++r) sum += static_cast<double>(op.x.as<T>()[r * op.x.ld + j]);
    return sum / static_cast<double>(op.x.rows);
  }
};

} // namespace

f2i_status column_stats(Exec &ex, const ColumnStats &op) {
  const ColumnStatsKernels &kernels = F2I_SELECT(column_stats, ex.isa());
  if (op.x.dtype == F2I_F64) return StatsRun<double>{ex, op, kernels.add_f64}();
  return StatsRun<float>{ex, op, kernels.add_f32}();
}

} // namespace f2i::cpu
