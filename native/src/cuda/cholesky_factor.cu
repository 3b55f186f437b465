// Lower Cholesky factor by panels: the block on the diagonal is factored by one
// block of threads in shared memory, the rows below it are solved against it,
// and what is left is updated by a product, where nearly all the work is.
#include <cstdio>

#include "cuda/ops.hpp"
#include "cuda/product.cuh"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

constexpr int width = 64; // of a panel
constexpr int threads = 256;

/// The lower triangle of a + shift I, zeros above.
template <class T> struct Lower {
  Matrix<const T> a;
  Matrix<T> y;
  T shift;
  __device__ T load(int64_t i, int64_t j) const { return j > i ? T(0) : i == j ? a(i, j) + shift : a(i, j); }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> struct Diagonal {
  T at[width][width + 1];
};

/// The first pivot that is not positive; its index is -1 (all bits set) while there is none.
struct Failed {
  long long index;
  double value;
};

f2i_status judge(const void *found, char *text, size_t size) {
  const auto &pivot = *static_cast<const Failed *>(found);
  if (pivot.index < 0) return F2I_OK;
  std::snprintf(text, size, "pivot %lld is %g: the matrix is not positive definite; raise the shift (alpha)", pivot.index,
                pivot.value);
  return F2I_NOT_POSITIVE_DEFINITE;
}

/// y[0 .. n)^2 by columns, which are `first` and later ones of the matrix.
template <class T> __global__ void __launch_bounds__(threads) diagonal_kernel(Matrix<T> y, int n, int64_t first,
                                                                        Failed *failed) {
  auto &l = shared_memory<Diagonal<T>>().at;
  for (int e = static_cast<int>(threadIdx.x); e < n * n; e += threads) l[e / n][e % n] = y(e / n, e % n);
  __syncthreads();
  for (int j = 0; j < n; ++j) {
    const T pivot = l[j][j];
    if (threadIdx.x == 0 && !(pivot > T(0) && is_finite(pivot)) && failed->index < 0) *failed = {first + j, static_cast<double>(pivot)};
    const T diagonal = root(pivot);
    __syncthreads(); // all have read the pivot
    for (int i = j + static_cast<int>(threadIdx.x); i < n; i += threads) l[i][j] = i == j ? diagonal : l[i][j] / diagonal;
    __syncthreads();
    const int rest = n - j - 1;
    for (int e = static_cast<int>(threadIdx.x); e < rest * rest; e += threads) {
      const int i = j + 1 + e / rest, c = j + 1 + e % rest;
      if (c <= i) l[i][c] = fused(-l[i][j], l[c][j], l[i][c]);
    }
    __syncthreads();
  }
  for (int e = static_cast<int>(threadIdx.x); e < n * n; e += threads) {
    if (e % n <= e / n) y(e / n, e % n) = l[e / n][e % n];
  }
}

constexpr int panel_rows = 64;
template <class T> struct Panel {
  T l[width][width + 1], x[panel_rows][width + 1];
};

/// x l^T = x for the rows below the diagonal: a thread a row, its entries one after the other.
template <class T> __global__ void __launch_bounds__(panel_rows) panel_kernel(Matrix<const T> l, Matrix<T> x, int64_t rows, int n) {
  Panel<T> &shared = shared_memory<Panel<T>>();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * panel_rows;
  const int row = static_cast<int>(threadIdx.x);
  for (int e = row; e < n * n; e += panel_rows) shared.l[e / n][e % n] = l(e / n, e % n);
  for (int e = row; e < panel_rows * n; e += panel_rows) {
    if (first + e / n < rows) shared.x[e / n][e % n] = x(first + e / n, e % n);
  }
  __syncthreads();
  if (first + row < rows) {
    for (int j = 0; j < n; ++j) {
      T sum = shared.x[row][j];
      for (int p = 0; p < j; ++p) sum = fused(-shared.x[row][p], shared.l[j][p], sum);
      shared.x[row][j] = sum / shared.l[j][j];
    }
  }
  __syncthreads();
  for (int e = row; e < panel_rows * n; e += panel_rows) {
    if (first + e / n < rows) x(first + e / n, e % n) = shared.x[e / n][e % n];
  }
}

template <class T> f2i_status run(Exec &ex, const CholeskyFactor &op) {
  const int64_t n = op.y.rows, ld = op.y.ld;
  auto *const failed = ex.scratch_of<Failed>(1);
  if (failed == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the state of the factorisation");
  if (const cudaError_t error = cudaMemsetAsync(failed, 0xff, sizeof(Failed), device_of(ex).stream()); error != cudaSuccess) {
    return ex.fail(status_of(error), "state of the factorisation: %s", cudaGetErrorString(error));
  }
  F2I_TRY(for_tiles(ex, "cholesky_factor", n, n, Lower<T>{input_of<T>(op.a), matrix_of<T>(op.y), static_cast<T>(op.shift)}));
  T *const y = op.y.as<T>();
  for (int64_t j = 0; j < n; j += width) {
    const int cols = static_cast<int>(n - j < width ? n - j : width);
    T *const diagonal = y + j * ld + j, *const below = diagonal + cols * ld, *const rest = below + cols;
    F2I_TRY(F2I_LAUNCH(ex, (diagonal_kernel<T>), dim3(1), dim3(threads), sizeof(Diagonal<T>), Matrix<T>{diagonal, ld}, cols, j, failed));
    const int64_t rows = n - j - cols;
    if (rows == 0) break;
    F2I_TRY(F2I_LAUNCH(ex, (panel_kernel<T>), dim3(static_cast<unsigned>(ceil_div(rows, panel_rows))), dim3(panel_rows),
                       sizeof(Panel<T>), Matrix<const T>{diagonal, ld}, Matrix<T>{below, ld}, rows, cols));
    const Operand panel = operand(static_cast<const T *>(below), ld, true);
    Product<T> update{rows, rows, cols, panel, panel, {}};
    update.lower = true;
    update.finish.alpha = -1;
    update.finish.beta = 1;
    update.finish.c = update.finish.y = rest;
    update.finish.ldc = update.finish.ldy = ld;
    update.finish.lower = true;
    F2I_TRY(product(ex, "cholesky_factor, update", update));
  }
  return ex.judge_later(failed, sizeof(Failed), judge);
}

} // namespace

f2i_status cholesky_factor(Exec &ex, const CholeskyFactor &op) {
  return with_float(op.y.dtype, [&](auto zero) { return run<decltype(zero)>(ex, op); });
}

} // namespace f2i::cuda
