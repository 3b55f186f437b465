// Pearson correlation of the columns of two matrices, in one pass over memory: fixed chunks of rows
// are summed in f64 (pearson_columns.inc) and merged in order.
#include "pearson_columns.hpp"

#include <algorithm>
#include <cmath>

#include "drivers.hpp"
#include "select.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t moment_rows = 4096;

/// Where a chunk's moments lie: five rows of `cols` numbers.
CoMoments moments_at(double *base, int64_t chunk, int64_t cols, int64_t col) {
  double *p = base + chunk * 5 * cols + col;
  return {p, p + cols, p + 2 * cols, p + 3 * cols, p + 4 * cols};
}

double correlation(double aa, double bb, double ab) {
  if (aa == 0 || bb == 0) return 0;
  const double r = ab / (std::sqrt(aa) * std::sqrt(bb));
  return r > 1 ? 1 : r < -1 ? -1 : r; // NaN stays
}

template <class T, class Add> f2i_status run(Exec &ex, const PearsonColumns &op, Add add) {
  const View &a = op.a, &b = op.b;
  const int64_t width = pearson_columns_cols, across = (a.cols + width - 1) / width;
  const int64_t chunks = std::max<int64_t>(1, (a.rows + moment_rows - 1) / moment_rows);
  double *base = ex.scratch_of<double>(chunks * 5 * a.cols);
  if (!base)
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the sums of %lld columns",
                   static_cast<long long>(a.cols));

  auto sum = [&](int64_t task, int) {
    const int64_t chunk = task / across, c = task % across * width;
    const int64_t first = chunk * moment_rows, end = std::min(a.rows, first + moment_rows);
    const CoMoments moments = moments_at(base, chunk, a.cols, c);
    for (int64_t r = first; r < end && !ex.cancelled(); r += pearson_columns_rows)
      add(a.as<T>() + r * a.ld + c, a.ld, b.as<T>() + r * b.ld + c, b.ld,
          std::min(pearson_columns_rows, end - r), std::min(width, a.cols - c),
          static_cast<double>(r - first), &moments);
  };
  ex.pool().parallel_for(chunks * across, sum);
  if (ex.cancelled()) return F2I_CANCELLED;

  const CoMoments total = moments_at(base, 0, a.cols, 0);
  for (int64_t chunk = 1; chunk < chunks; ++chunk) {
    const CoMoments part = moments_at(base, chunk, a.cols, 0);
    const double before = static_cast<double>(chunk * moment_rows);
    const double count = static_cast<double>(std::min(a.rows, (chunk + 1) * moment_rows)) - before;
    const double share = count / (before + count), weight = before * share;
    for (int64_t j = 0; j < a.cols; ++j) {
      const double da = part.mean_a[j] - total.mean_a[j], db = part.mean_b[j] - total.mean_b[j];
      total.mean_a[j] += da * share;
      total.mean_b[j] += db * share;
      total.aa[j] += part.aa[j] + da * da * weight;
      total.bb[j] += part.bb[j] + db * db * weight;
      total.ab[j] += part.ab[j] + da * db * weight;
    }
  }
  for (int64_t j = 0; j < a.cols; ++j)
    op.y.as<T>()[j] = static_cast<T>(correlation(total.aa[j], total.bb[j], total.ab[j]));
  return F2I_OK;
}

} // namespace

f2i_status pearson_columns(Exec &ex, const PearsonColumns &op) {
  const PearsonColumnsKernels &kernels = F2I_SELECT(pearson_columns, ex.isa());
  if (op.a.dtype == F2I_F64) return run<double>(ex, op, kernels.add_f64);
  return run<float>(ex, op, kernels.add_f32);
}

} // namespace f2i::cpu
