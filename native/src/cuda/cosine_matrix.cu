// Cosines of all pairs of rows: rows are brought to unit length, then multiplied.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"
#include "cuda/reduce.cuh"

namespace f2i::cuda {
namespace {

constexpr int threads = 128;
struct Room {
  double of_warp[32];
};

/// The squares of f32 never leave the range of f64. Those of f64 may: then x is scaled by a power of two
/// first, which is exact but for entries too small to matter.
template <class T> __global__ void __launch_bounds__(threads) unit_kernel(Matrix<const T> x, int64_t rows, int64_t n, T *y) {
  Room &room = shared_memory<Room>();
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const auto sum_of_squares = [&](double scale) {
      double sum = 0;
      for (int64_t j = threadIdx.x; j < n; j += threads) {
        const double value = static_cast<double>(x(i, j)) * scale;
        sum = fma(value, value, sum);
      }
      return reduce_block(sum, Sum(), room.of_warp, 0.0);
    };
    double scale = 1, squares = sum_of_squares(scale);
    if (sizeof(T) == 8 && (squares < 0x1p-900 || squares > 0x1p+900)) { // the same in all threads
      scale = squares < 1 ? 0x1p+600 : 0x1p-600;
      squares = sum_of_squares(scale);
    }
    const double factor = squares == 0 ? 0 : 1 / sqrt(squares);
    for (int64_t j = threadIdx.x; j < n; j += threads) {
      y[i * n + j] = static_cast<T>(static_cast<double>(x(i, j)) * scale * factor);
    }
  }
}

template <class T> struct Run {
  Exec &ex;
  const CosineMatrix &op;

  f2i_status units(const View &x, const T *&y) const {
    T *const to = ex.scratch_of<T>(x.rows * x.cols);
    if (to == nullptr) {
      return ex.fail(F2I_OUT_OF_MEMORY, "no room for %lld x %lld unit rows", static_cast<long long>(x.rows),
                     static_cast<long long>(x.cols));
    }
    y = to;
    return F2I_LAUNCH(ex, (unit_kernel<T>), dim3(static_cast<unsigned>(x.rows < 0x40000000 ? x.rows : 0x40000000)),
                      dim3(threads), sizeof(Room), input_of<T>(x), x.rows, x.cols, to);
  }

  f2i_status operator()() const {
    const bool same = op.a.data == op.b.data && op.a.rows == op.b.rows && op.a.ld == op.b.ld;
    const T *a = nullptr, *b = nullptr;
    F2I_TRY(units(op.a, a));
    if (same) b = a;
    else F2I_TRY(units(op.b, b));
    Product<T> p{op.y.rows, op.y.cols, op.a.cols, operand(a, op.a.cols, true), operand(b, op.b.cols, true), {}};
    p.finish.limit = true;
    p.finish.y = op.y.as<T>();
    p.finish.ldy = op.y.ld;
    if (same) p.lower = p.finish.mirror = true;
    return product(ex, "cosine_matrix", p);
  }
};

} // namespace

f2i_status cosine_matrix(Exec &ex, const CosineMatrix &op) {
  return with_float(op.a.dtype, [&](auto zero) { return Run<decltype(zero)>{ex, op}(); });
}

} // namespace f2i::cuda
