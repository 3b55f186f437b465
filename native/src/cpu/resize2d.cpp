// Pictures of another size, some rows of the result at a time: rows of x are blended into as many rows
// of the result's height and the picture's width; these are turned, so that the same blend of rows
// makes the columns, and turned back. Both passes run along memory, whatever the taps are.
#include "resize2d.hpp"

#include "drivers.hpp"
#include "gemm_blocked.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

/// Rows of the result in a block: as many as a vector has lanes, at least.
constexpr int64_t block = 16;

/// Null where there is no room.
template <class T> const T *weights_as(Exec &ex, const Taps &taps) {
  T *weights = ex.scratch_of<T>(static_cast<int64_t>(taps.weights.size()));
  if (weights) std::copy(taps.weights.begin(), taps.weights.end(), weights);
  return weights;
}

template <class T> f2i_status run(Exec &ex, const Resize2d &op, const Resize2dKernels<T> &kernels) {
  const auto transpose = gemm_kernel<T>(ex.isa()).transpose;
  const int64_t width = op.x.cols, out_width = op.columns.outputs, out_height = op.rows.outputs;
  const T *row_weights = weights_as<T>(ex, op.rows), *column_weights = weights_as<T>(ex, op.columns);
  // A worker's own: a block [block, width], the same turned, and the turned block of the result.
  const int64_t size = (2 * width + out_width) * block;
  T *scratch = ex.scratch_of<T>(size * ex.pool().threads());
  if (!row_weights || !column_weights || !scratch) return ex.fail(F2I_OUT_OF_MEMORY, "no room for rows of a picture");
  const TapsOf<T> columns{op.columns.first.data(), column_weights, out_width, op.columns.count};

  const int64_t blocks = (out_height + block - 1) / block;
  return for_tasks(ex, op.x.rows / op.height * blocks, [&](int64_t task, int worker) {
    T *rows = scratch + worker * size, *turned = rows + width * block, *result = turned + width * block;
    const int64_t picture = task / blocks, i = task % blocks * block, count = std::min(block, out_height - i);
    const TapsOf<T> taps{op.rows.first.data() + i, row_weights + i * op.rows.count, count, op.rows.count};
    kernels.blend(taps, width, op.x.as<const T>() + picture * op.height * op.x.ld, op.x.ld, rows, width);
    transpose(count, width, rows, width, turned, count);
    kernels.blend(columns, count, turned, count, result, count);
    transpose(out_width, count, result, count, op.y.as<T>() + (picture * out_height + i) * op.y.ld, op.y.ld);
  });
}

} // namespace

f2i_status resize2d(Exec &ex, const Resize2d &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op, F2I_SELECT(resize2d_f64, ex.isa()))
                               : run<float>(ex, op, F2I_SELECT(resize2d_f32, ex.isa()));
}

} // namespace f2i::cpu
