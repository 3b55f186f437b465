// y = kind(x), and y = x[:, :n] kind(x[:, n:]).
#include "cuda/activate.cuh"
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

template <class T> struct Activated {
  f2i_activation_kind kind;
  Matrix<const T> x;
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const { return x(i, j); }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = activate(kind, value); }
};

template <class T> struct Pair {
  T value, gate;
};
template <class T> struct Gated {
  f2i_activation_kind kind;
  Matrix<const T> x;
  Matrix<T> y;
  int64_t gates; // the column of the first one
  __device__ Pair<T> load(int64_t i, int64_t j) const { return {x(i, j), x(i, gates + j)}; }
  __device__ void store(int64_t i, int64_t j, Pair<T> pair) const { y(i, j) = pair.value * activate(kind, pair.gate); }
};

} // namespace

f2i_status activation(Exec &ex, const Activation &op) {
  int64_t rows = op.x.rows, cols = op.x.cols;
  if (contiguous(op.x) && contiguous(op.y)) {
    cols *= rows;
    rows = 1;
  }
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    return for_tiles(ex, "activation", rows, cols, Activated<T>{op.kind, input_of<T>(op.x), matrix_of<T>(op.y)});
  });
}

f2i_status gated_activation(Exec &ex, const GatedActivation &op) {
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Gated<T> f{op.kind, input_of<T>(op.x), matrix_of<T>(op.y), op.y.cols};
    return for_tiles(ex, "gated_activation", op.y.rows, op.y.cols, f);
  });
}

} // namespace f2i::cuda
