// Ops that move elements of any type without looking at them: slice, concat,
// gather, upsample_nearest, relative_position_bias. All are at the speed of
// memory; an element is an unsigned integer of its size.
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"
#include "cuda/upload.hpp"

namespace f2i::cuda {
namespace {

/// Calls f with an unsigned integer of the element's size.
template <class F> f2i_status with_element(f2i_dtype dtype, F &&f) {
  switch (size_of(dtype)) {
  case 1: return f(uint8_t());
  case 2: return f(uint16_t());
  case 8: return f(uint64_t());
  default: return f(uint32_t());
  }
}

template <class T> struct Copy {
  Matrix<const T> x;
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const { return x(i, j); }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> struct Gathered {
  const int32_t *rows, *cols; // null: all
  Matrix<const T> x;
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const { return x(rows != nullptr ? rows[i] : i, cols != nullptr ? cols[j] : j); }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> struct Upsampled {
  Matrix<const T> x;
  Matrix<T> y;
  uint32_t factor;
  __device__ T load(int64_t i, int64_t j) const { return x(i / factor, static_cast<uint32_t>(j) / factor); }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> struct Biases {
  const int32_t *buckets;
  Matrix<const T> table;
  Matrix<T> y;
  __device__ T load(int64_t h, int64_t i) const { return table(buckets[i], h); }
  __device__ void store(int64_t h, int64_t i, T value) const { y(h, i) = value; }
};

} // namespace

f2i_status slice(Exec &ex, const Slice &op) {
  return with_element(op.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Copy<T> f{{op.x.as<const T>() + op.start, op.x.ld}, matrix_of<T>(op.y)};
    return for_tiles(ex, "slice", op.y.rows, op.y.cols, f);
  });
}

f2i_status concat(Exec &ex, const Concat &op) {
  return with_element(op.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    int64_t first = 0;
    for (const View &x : op.parts) {
      // Rows of a part that follow each other in both matrices are one.
      const bool whole = contiguous(x) && op.y.ld == x.cols;
      const Copy<T> f{input_of<T>(x), {op.y.as<T>() + first, op.y.ld}};
      F2I_TRY(for_tiles(ex, "concat", whole ? 1 : x.rows, whole ? x.rows * x.cols : x.cols, f));
      first += x.cols;
    }
    return static_cast<f2i_status>(F2I_OK);
  });
}

f2i_status gather(Exec &ex, const Gather &op) {
  f2i_status status = F2I_OK;
  const int32_t *const rows = op.row_indices ? upload(ex, op.row_indices, op.y.rows, status) : nullptr;
  if (status != F2I_OK) return status;
  const int32_t *const cols = op.col_indices ? upload(ex, op.col_indices, op.y.cols, status) : nullptr;
  if (status != F2I_OK) return status;
  return with_element(op.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    return for_tiles(ex, "gather", op.y.rows, op.y.cols, Gathered<T>{rows, cols, input_of<T>(op.x), matrix_of<T>(op.y)});
  });
}

f2i_status upsample_nearest(Exec &ex, const UpsampleNearest &op) {
  if (op.y.cols > UINT32_MAX) return ex.fail(F2I_UNSUPPORTED, "rows of more than 2^32 entries");
  return with_element(op.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Upsampled<T> f{input_of<T>(op.x), matrix_of<T>(op.y), static_cast<uint32_t>(op.factor)};
    return for_tiles(ex, "upsample_nearest", op.y.rows, op.y.cols, f);
  });
}

f2i_status relative_position_bias(Exec &ex, const RelativePositionBias &op) {
  f2i_status status = F2I_OK;
  const int32_t *const buckets = upload(ex, op.buckets, op.y.cols, status);
  if (status != F2I_OK) return status;
  return with_element(op.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    return for_tiles(ex, "relative_position_bias", op.y.rows, op.y.cols,
                     Biases<T>{buckets, input_of<T>(op.table), matrix_of<T>(op.y)});
  });
}

} // namespace f2i::cuda
