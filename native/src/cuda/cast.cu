// Conversions between element types (number.cuh).
#include "cuda/number.cuh"
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

template <class S, class D> struct Convert {
  Matrix<const S> x;
  Matrix<D> y;
  __device__ D load(int64_t i, int64_t j) const { return convert<D>(x(i, j)); }
  __device__ void store(int64_t i, int64_t j, D value) const { y(i, j) = value; }
};

/// Calls f with a value of the type.
template <class F> f2i_status with_type(f2i_dtype dtype, F &&f) {
  switch (dtype) {
  case F2I_F64: return f(double());
  case F2I_F16: return f(F16());
  case F2I_BF16: return f(Bf16());
  case F2I_I32: return f(int32_t());
  case F2I_U8: return f(uint8_t());
  default: return f(float());
  }
}

} // namespace

f2i_status cast(Exec &ex, const Cast &op) {
  int64_t rows = op.x.rows, cols = op.x.cols;
  if (contiguous(op.x) && contiguous(op.y)) {
    cols *= rows;
    rows = 1;
  }
  return with_type(op.x.dtype, [&](auto from) {
    return with_type(op.y.dtype, [&](auto to) {
      using S = decltype(from);
      using D = decltype(to);
      return for_tiles(ex, "cast", rows, cols, Convert<S, D>{input_of<S>(op.x), matrix_of<D>(op.y)});
    });
  });
}

} // namespace f2i::cuda
