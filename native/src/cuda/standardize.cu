// y = (x - mean) / std by column; 0 where std is 0.
#include "cuda/number.cuh"
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

template <class T> struct Standard {
  Matrix<const T> x;
  const T *mean, *std; // null: 0 and 1
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const {
    const T deviation = mean != nullptr ? x(i, j) - mean[j] : x(i, j);
    if (std == nullptr) return deviation;
    return std[j] == T(0) ? T(0) : deviation / std[j];
  }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

} // namespace

f2i_status standardize(Exec &ex, const Standardize &op) {
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Standard<T> f{input_of<T>(op.x), op.mean.as<const T>(), op.std.as<const T>(), matrix_of<T>(op.y)};
    return for_tiles(ex, "standardize", op.x.rows, op.x.cols, f);
  });
}

} // namespace f2i::cuda
