// The largest value of each of some windows that cover a row. Some rows are turned, a few columns at a
// time, so that a window is a run of vectors with one row to a lane.
#include "adaptive_max_pool1d.hpp"

#include <limits>

#include "drivers.hpp"
#include "gemm_blocked.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

/// Windows of a task, and positions that are turned at once.
constexpr int64_t task_windows = 256, most_positions = 1024;

/// from[i] = floor(i n / m) and to[i] = ceil((i + 1) n / m), without a division for each.
void find_windows(int64_t n, int64_t m, int64_t *from, int64_t *to) {
  const int64_t step = n / m, rest = n % m;
  int64_t position = 0, remainder = 0; // position + remainder / m = i n / m
  for (int64_t i = 0; i < m; ++i) {
    from[i] = position;
    position += step;
    remainder += rest;
    if (remainder >= m) remainder -= m, ++position;
    to[i] = position + (remainder > 0 ? 1 : 0);
  }
}

template <class T> f2i_status run(Exec &ex, const AdaptiveMaxPool1d &op, const AdaptiveMaxPool1dKernels<T> &kernels) {
  const auto transpose = gemm_kernel<T>(ex.isa()).transpose;
  const int64_t rows = op.x.rows, windows = op.y.cols;
  int64_t *from = ex.scratch_of<int64_t>(2 * windows), *to = from + windows;
  // A worker's own: positions, turned, and the turned results.
  constexpr int64_t size = (most_positions + task_windows) * pooled_rows;
  T *scratch = ex.scratch_of<T>(size * ex.pool().threads());
  if (!from || !scratch) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the windows");
  find_windows(op.x.cols, windows, from, to);

  const int64_t across = (windows + task_windows - 1) / task_windows, down = (rows + pooled_rows - 1) / pooled_rows;
  return for_tasks(ex, across * down, [&](int64_t task, int worker) {
    T *turned = scratch + worker * size, *most = turned + most_positions * pooled_rows;
    const int64_t r = task / across * pooled_rows, count = std::min(pooled_rows, rows - r);
    const int64_t first = task % across * task_windows, last = std::min(windows, first + task_windows);
    std::fill_n(most, (last - first) * pooled_rows, -std::numeric_limits<T>::infinity());
    for (int64_t begin = from[first]; begin < to[last - 1]; begin += most_positions) {
      const int64_t end = std::min(to[last - 1], begin + most_positions);
      transpose(count, end - begin, op.x.as<const T>() + r * op.x.ld + begin, op.x.ld, turned, pooled_rows);
      kernels.raise(last - first, from + first, to + first, begin, end, turned, most);
    }
    transpose(last - first, count, most, pooled_rows, op.y.as<T>() + r * op.y.ld + first, op.y.ld);
  });
}

} // namespace

f2i_status adaptive_max_pool1d(Exec &ex, const AdaptiveMaxPool1d &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op, F2I_SELECT(adaptive_max_pool1d_f64, ex.isa()))
                               : run<float>(ex, op, F2I_SELECT(adaptive_max_pool1d_f32, ex.isa()));
}

} // namespace f2i::cpu
