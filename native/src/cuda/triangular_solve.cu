// l y = b and l^T y = b by blocks of rows. A large block first loses what the
// solved rows contribute to it, in one product; then its small blocks are solved
// one after the other, a thread a column, with the small block of l in shared
// memory, and lost to the rest of the large one.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

constexpr int64_t large = 256;
constexpr int small = 32, columns = 128;

template <class T> struct Block {
  T l[small][small + 1];
  T y[small][columns];
};

/// Solves n <= 32 rows of y in place; lower: forward with l, else backward with its transpose.
template <class T, bool forward>
__global__ void __launch_bounds__(columns) small_kernel(Matrix<const T> l, Matrix<T> y, int n, int64_t cols) {
  Block<T> &shared = shared_memory<Block<T>>();
  const int column = static_cast<int>(threadIdx.x);
  const int64_t j = static_cast<int64_t>(blockIdx.x) * columns + column;
  for (int e = column; e < n * n; e += columns) shared.l[e / n][e % n] = l(e / n, e % n);
  __syncthreads();
  if (j >= cols) return; // no barrier follows
  for (int s = 0; s < n; ++s) {
    const int i = forward ? s : n - 1 - s;
    T sum = y(i, j);
    for (int q = 0; q < s; ++q) {
      const int p = forward ? q : n - 1 - q;
      sum = fused(-(forward ? shared.l[i][p] : shared.l[p][i]), shared.y[p][column], sum);
    }
    sum /= shared.l[i][i];
    shared.y[i][column] = sum;
    y(i, j) = sum;
  }
}

template <class T> struct Copy {
  Matrix<const T> x;
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const { return x(i, j); }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> struct Solve {
  Exec &ex;
  const View &l;
  const View &y;

  const T *l_at(int64_t i, int64_t j) const { return l.as<const T>() + i * l.ld + j; }
  T *y_at(int64_t i) const { return y.as<T>() + i * y.ld; }

  /// Rows [row, row + rows) of y lose op(l)[rows, terms] y[terms].
  template <bool transpose> f2i_status lose(int64_t row, int64_t rows, int64_t term, int64_t terms) const {
    if (rows == 0 || terms == 0) return F2I_OK;
    const T *const part = transpose ? l_at(term, row) : l_at(row, term);
    Product<T> p{rows, y.cols, terms, operand(part, l.ld, !transpose), operand(static_cast<const T *>(y_at(term)), y.ld, false), {}};
    p.finish.alpha = -1;
    p.finish.beta = 1;
    p.finish.c = p.finish.y = y_at(row);
    p.finish.ldc = p.finish.ldy = y.ld;
    return product(ex, "triangular_solve, update", p);
  }

  f2i_status diagonal(int64_t row, int64_t rows, bool forward) const {
    return launch(ex, "triangular_solve", forward ? small_kernel<T, true> : small_kernel<T, false>,
                  dim3(static_cast<unsigned>(ceil_div(y.cols, columns))), dim3(columns), sizeof(Block<T>),
                  Matrix<const T>{l_at(row, row), l.ld}, Matrix<T>{y_at(row), y.ld}, static_cast<int>(rows), y.cols);
  }

  f2i_status forward() const {
    const int64_t n = l.rows;
    for (int64_t i = 0; i < n; i += large) {
      const int64_t end = i + large < n ? i + large : n;
      F2I_TRY(lose<false>(i, end - i, 0, i));
      for (int64_t s = i; s < end; s += small) {
        const int64_t rows = s + small < end ? small : end - s;
        F2I_TRY(diagonal(s, rows, true));
        F2I_TRY(lose<false>(s + rows, end - s - rows, s, rows));
      }
    }
    return F2I_OK;
  }

  f2i_status backward() const {
    const int64_t n = l.rows;
    for (int64_t end = n; end > 0; end -= large) {
      const int64_t i = end > large ? end - large : 0;
      F2I_TRY(lose<true>(i, end - i, end, n - end));
      for (int64_t s = end; s > i; s -= small) {
        const int64_t first = s - small > i ? s - small : i;
        F2I_TRY(diagonal(first, s - first, false));
        F2I_TRY(lose<true>(i, first - i, first, s - first));
      }
    }
    return F2I_OK;
  }
};

template <class T> f2i_status copy(Exec &ex, const View &b, const View &y) {
  if (b.data == y.data) return F2I_OK;
  return for_tiles(ex, "triangular_solve, copy", y.rows, y.cols, Copy<T>{input_of<T>(b), matrix_of<T>(y)});
}

} // namespace

f2i_status triangular_solve(Exec &ex, const TriangularSolve &op) {
  return with_float(op.y.dtype, [&](auto zero) -> f2i_status {
    using T = decltype(zero);
    F2I_TRY(copy<T>(ex, op.b, op.y));
    const Solve<T> solve{ex, op.l, op.y};
    return op.transpose ? solve.backward() : solve.forward();
  });
}

f2i_status cholesky_solve(Exec &ex, const CholeskySolve &op) {
  return with_float(op.y.dtype, [&](auto zero) -> f2i_status {
    using T = decltype(zero);
    F2I_TRY(copy<T>(ex, op.b, op.y));
    const Solve<T> solve{ex, op.l, op.y};
    F2I_TRY(solve.forward());
    return solve.backward();
  });
}

} // namespace f2i::cuda
