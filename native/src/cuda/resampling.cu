// resize2d: each output from its taps, rows by columns; and adaptive_max_pool1d.
#include "cuda/number.cuh"
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"
#include "cuda/upload.hpp"

namespace f2i::cuda {
namespace {

struct TapsOf {
  const int32_t *first;
  const double *weights;
  int32_t count;
};

TapsOf upload_taps(Exec &ex, const Taps &taps, f2i_status &status) {
  TapsOf on{nullptr, nullptr, static_cast<int32_t>(taps.count)};
  on.first = upload(ex, taps.first.data(), static_cast<int64_t>(taps.first.size()), status);
  if (status == F2I_OK) on.weights = upload(ex, taps.weights.data(), static_cast<int64_t>(taps.weights.size()), status);
  return on;
}

/// One pass along an axis, so that work grows with the sum of the taps and not with their product.
/// A tap of weight 0 is not looked at: a NaN under it stays where it is.
template <class T> struct AlongRows { // y[picture out, width] of x[picture height, width]
  TapsOf taps;
  Matrix<const T> x;
  Matrix<T> y;
  int64_t height, out_height;
  __device__ T load(int64_t i, int64_t j) const {
    const int64_t picture = i / out_height, out = i - picture * out_height;
    const double *weights = taps.weights + out * taps.count;
    const int64_t first = picture * height + taps.first[out];
    T sum = 0;
    for (int32_t p = 0; p < taps.count; ++p) {
      const T weight = static_cast<T>(weights[p]);
      if (weight != T(0)) sum = fused(weight, x(first + p, j), sum);
    }
    return sum;
  }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};
template <class T> struct AlongColumns {
  TapsOf taps;
  Matrix<const T> x;
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const {
    const double *weights = taps.weights + j * taps.count;
    const int64_t first = taps.first[j];
    T sum = 0;
    for (int32_t p = 0; p < taps.count; ++p) {
      const T weight = static_cast<T>(weights[p]);
      if (weight != T(0)) sum = fused(weight, x(i, first + p), sum);
    }
    return sum;
  }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> struct Pooled {
  Matrix<const T> x;
  Matrix<T> y;
  int64_t n, m;
  __device__ T load(int64_t i, int64_t j) const {
    const int64_t first = j * n / m, end = ((j + 1) * n + m - 1) / m;
    T most = -infinity<T>();
    for (int64_t p = first; p < end; ++p) {
      const T value = x(i, p);
      most = value > most || value != value ? value : most; // nothing is above a NaN
    }
    return most;
  }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

} // namespace

f2i_status resize2d(Exec &ex, const Resize2d &op) {
  f2i_status status = F2I_OK;
  const TapsOf rows = upload_taps(ex, op.rows, status);
  if (status != F2I_OK) return status;
  const TapsOf columns = upload_taps(ex, op.columns, status);
  if (status != F2I_OK) return status;
  return with_float(op.x.dtype, [&](auto zero) -> f2i_status {
    using T = decltype(zero);
    const int64_t width = op.x.cols;
    T *const between = ex.scratch_of<T>(op.y.rows * width);
    if (between == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for pictures between the passes");
    F2I_TRY(for_tiles(ex, "resize2d", op.y.rows, width,
                      AlongRows<T>{rows, input_of<T>(op.x), {between, width}, op.height, op.rows.outputs}));
    return for_tiles(ex, "resize2d", op.y.rows, op.y.cols, AlongColumns<T>{columns, {between, width}, matrix_of<T>(op.y)});
  });
}

f2i_status adaptive_max_pool1d(Exec &ex, const AdaptiveMaxPool1d &op) {
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    return for_tiles(ex, "adaptive_max_pool1d", op.y.rows, op.y.cols,
                     Pooled<T>{input_of<T>(op.x), matrix_of<T>(op.y), op.x.cols, op.y.cols});
  });
}

} // namespace f2i::cuda
