// Lower Cholesky factor by panels of 256 columns, and these by strips of 64: the
// square of a strip on the diagonal is factored by one block of threads, the rows
// below it are solved against it, and the panel's other strips are updated. What
// is right of a panel is updated by one product of 256 terms, where nearly all the
// work is. A pivot that is not positive is found out when somebody waits.
#include <cstdio>

#include "cuda/ops.hpp"
#include "cuda/product.cuh"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

constexpr int64_t panel_width = 256;
constexpr int width = 64; // of a strip
constexpr int threads = 256, span = 16, own = width / span;

/// The lower triangle of a + shift I, zeros above.
template <class T> struct Lower {
  Matrix<const T> a;
  Matrix<T> y;
  T shift;
  __device__ T load(int64_t i, int64_t j) const { return j > i ? T(0) : i == j ? a(i, j) + shift : a(i, j); }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

/// A column as it is before it is divided, and the next one.
template <class T> struct Columns {
  T at[2][width];
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

/// y[0 .. n)^2, whose columns are `first` and later ones of the matrix. A thread has 4 x 4 entries, 16 rows and columns
/// apart, in registers; a column goes to all through shared memory, by one barrier.
template <class T> __global__ void __launch_bounds__(threads) diagonal_kernel(Matrix<T> y, int n, int64_t first,
                                                                        Failed *failed) {
  auto &columns = shared_memory<Columns<T>>().at;
  const int row = static_cast<int>(threadIdx.x) / span, column = static_cast<int>(threadIdx.x) % span;
  T l[own][own];
#pragma unroll
  for (int u = 0; u < own; ++u) {
#pragma unroll
    for (int v = 0; v < own; ++v) {
      const int i = row + span * u, j = column + span * v;
      l[u][v] = i < n && j <= i ? y(i, j) : T(0);
      if (j == 0) columns[0][i] = l[u][v];
    }
  }
  __syncthreads();
  for (int j = 0; j < n; ++j) {
    const auto &now = columns[j % 2];
    auto &next = columns[(j + 1) % 2];
    const T pivot = now[j];
    if (threadIdx.x == 0 && !(pivot > T(0) && is_finite(pivot)) && failed->index < 0) *failed = {first + j, static_cast<double>(pivot)};
    const T diagonal = root(pivot), inverse = T(1) / pivot;
#pragma unroll
    for (int u = 0; u < own; ++u) {
      const int i = row + span * u;
      if (i < j) continue;
      const T left = now[i] * inverse;
#pragma unroll
      for (int v = 0; v < own; ++v) {
        const int c = column + span * v;
        if (c == j) l[u][v] = i == j ? diagonal : l[u][v] / diagonal;
        if (c > j && c <= i) l[u][v] = fused(-left, now[c], l[u][v]);
        if (c == j + 1) next[i] = l[u][v];
      }
    }
    __syncthreads(); // the next column is whole, and all have read this one
  }
#pragma unroll
  for (int u = 0; u < own; ++u) {
#pragma unroll
    for (int v = 0; v < own; ++v) {
      const int i = row + span * u, j = column + span * v;
      if (i < n && j <= i) y(i, j) = l[u][v];
    }
  }
}

template <class T> constexpr int panel_rows = sizeof(T) == 8 ? 32 : 64; // 64 KiB of shared memory are all on sm_75
template <class T> struct Panel {
  T l[width][width + 1], x[panel_rows<T>][width + 1];
};

/// x l^T = x for the rows below a strip's square: a thread a row, its entries one after the other.
template <class T> __global__ void __launch_bounds__(panel_rows<T>) panel_kernel(Matrix<const T> l, Matrix<T> x, int64_t rows, int n) {
  Panel<T> &shared = shared_memory<Panel<T>>();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * panel_rows<T>;
  const int row = static_cast<int>(threadIdx.x);
  for (int e = row; e < n * n; e += panel_rows<T>) shared.l[e / n][e % n] = l(e / n, e % n);
  for (int e = row; e < panel_rows<T> * n; e += panel_rows<T>) {
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
  for (int e = row; e < panel_rows<T> * n; e += panel_rows<T>) {
    if (first + e / n < rows) x(first + e / n, e % n) = shared.x[e / n][e % n];
  }
}

/// The lower triangle of columns [end, last) of the n rows loses what columns [first, end) contribute to it.
template <class T>
f2i_status update(Exec &ex, T *y, int64_t ld, int64_t n, int64_t first, int64_t end, int64_t last) {
  if (end >= last) return F2I_OK;
  const Operand left = operand(static_cast<const T *>(y + end * ld + first), ld, true);
  Product<T> p{n - end, last - end, end - first, left, left, {}};
  p.lower = last == n; // a square
  p.finish.alpha = -1;
  p.finish.beta = 1;
  p.finish.c = p.finish.y = y + end * ld + end;
  p.finish.ldc = p.finish.ldy = ld;
  p.finish.lower = true;
  return product(ex, "cholesky_factor, update", p);
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
  for (int64_t first = 0; first < n; first += panel_width) {
    const int64_t end = n - first < panel_width ? n : first + panel_width;
    for (int64_t j = first; j < end; j += width) {
      const int cols = static_cast<int>(end - j < width ? end - j : width);
      T *const diagonal = y + j * ld + j, *const below = diagonal + cols * ld;
      F2I_TRY(F2I_LAUNCH(ex, (diagonal_kernel<T>), dim3(1), dim3(threads), sizeof(Columns<T>), Matrix<T>{diagonal, ld}, cols, j, failed));
      const int64_t rows = n - j - cols;
      if (rows == 0) break;
      F2I_TRY(F2I_LAUNCH(ex, (panel_kernel<T>), dim3(static_cast<unsigned>(ceil_div(rows, panel_rows<T>))), dim3(panel_rows<T>),
                         sizeof(Panel<T>), Matrix<const T>{diagonal, ld}, Matrix<T>{below, ld}, rows, cols));
      F2I_TRY(update(ex, y, ld, n, j, j + cols, end));
    }
    F2I_TRY(update(ex, y, ld, n, first, end, n));
  }
  return ex.judge_later(failed, sizeof(Failed), judge);
}

} // namespace

f2i_status cholesky_factor(Exec &ex, const CholeskyFactor &op) {
  return with_float(op.y.dtype, [&](auto zero) { return run<decltype(zero)>(ex, op); });
}

} // namespace f2i::cuda
