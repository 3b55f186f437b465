// Pairs of neighbours, turned by an angle of their row's position.
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

template <class T> struct Turned {
  Matrix<const T> x, cos, sin;
  Matrix<T> y;
  int64_t pairs, positions, inside;
  /// Each half of a pair reads both; the second read comes from the cache.
  __device__ T load(int64_t i, int64_t j) const {
    const T value = x(i, j);
    if (j >= 2 * pairs) return value;
    const int64_t position = i / inside % positions, p = j / 2;
    const T other = x(i, j ^ 1), c = cos(position, p), s = sin(position, p);
    return (j & 1) == 0 ? value * c - other * s : value * c + other * s;
  }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

} // namespace

f2i_status rotary(Exec &ex, const Rotary &op) {
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Turned<T> f{input_of<T>(op.x), input_of<T>(op.cos), input_of<T>(op.sin), matrix_of<T>(op.y),
                      op.cos.cols, op.cos.rows, op.inside};
    return for_tiles(ex, "rotary", op.x.rows, op.x.cols, f);
  });
}

} // namespace f2i::cuda
