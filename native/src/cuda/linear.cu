// y = activation(x w^T + bias) + residual, w in shards of rows. With few rows of
// x, w is read once at the speed of memory; otherwise it is a product.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"
#include "cuda/reduce.cuh"

namespace f2i::cuda {
namespace {

constexpr int few = 8;                          // most rows of x that are taken at once
constexpr int warps = 8, columns_of_warp = 4;   // a number of x serves four rows of w

/// A warp has four rows of w; its lanes share the terms. Sums are joined by a fixed tree.
template <class T, class S, int rows>
__global__ void __launch_bounds__(warps * 32)
    few_rows_kernel(Matrix<const T> x, Matrix<const S> w, int64_t n, int64_t k, Finish<T> finish) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t j0 = (static_cast<int64_t>(blockIdx.x) * warps + warp) * columns_of_warp;
  T sums[columns_of_warp][rows] = {};
#pragma unroll 4
  for (int64_t p = lane; p < k; p += 32) {
    T of_w[columns_of_warp];
#pragma unroll
    for (int v = 0; v < columns_of_warp; ++v) {
      // A row too many is read as the last one: no branch between the loads.
      of_w[v] = static_cast<T>(widen(w(j0 + v < n ? j0 + v : n - 1, p)));
    }
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      const T of_x = x(i, p);
#pragma unroll
      for (int v = 0; v < columns_of_warp; ++v) sums[v][i] = fused(of_x, of_w[v], sums[v][i]);
    }
  }
#pragma unroll
  for (int v = 0; v < columns_of_warp; ++v) {
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      const T sum = reduce_warp(sums[v][i], Sum());
      if (lane == 0 && j0 + v < n) finish.store(i, j0 + v, sum);
    }
  }
}

template <class T, class S> f2i_status few_rows(Exec &ex, Matrix<const T> x, int64_t m, const View &w, const Finish<T> &finish) {
  using Kernel = void (*)(Matrix<const T>, Matrix<const S>, int64_t, int64_t, Finish<T>);
  const Kernel kernels[few] = {few_rows_kernel<T, S, 1>, few_rows_kernel<T, S, 2>, few_rows_kernel<T, S, 3>,
                               few_rows_kernel<T, S, 4>, few_rows_kernel<T, S, 5>, few_rows_kernel<T, S, 6>,
                               few_rows_kernel<T, S, 7>, few_rows_kernel<T, S, 8>};
  const dim3 grid(static_cast<unsigned>(ceil_div(w.rows, warps * columns_of_warp)));
  return launch(ex, "linear, few rows", kernels[m - 1], grid, dim3(warps * 32), 0, x, input_of<S>(w), w.rows, w.cols, finish);
}

template <class T, class S> f2i_status run(Exec &ex, const Linear &op) {
  int64_t first = 0;
  for (const View &w : op.weights) {
    Finish<T> finish;
    finish.activation = op.activation;
    finish.row_bias = op.bias ? op.bias.as<const T>() + first : nullptr;
    finish.residual = op.residual ? op.residual.as<const T>() + first : nullptr;
    finish.ldr = op.residual.ld;
    finish.y = op.y.as<T>() + first;
    finish.ldy = op.y.ld;
    first += w.rows;
    if (w.rows == 0) continue;
    if (op.x.rows <= few) {
      F2I_TRY((few_rows<T, S>(ex, input_of<T>(op.x), op.x.rows, w, finish)));
      continue;
    }
    Product<T> p{op.x.rows, w.rows, op.x.cols, operand(op.x, true), operand(w, true), finish};
    p.precision = ex.precision();
    F2I_TRY(product(ex, "linear", p));
  }
  return F2I_OK;
}

} // namespace

f2i_status linear(Exec &ex, const Linear &op) {
  if (op.y.dtype == F2I_F64) return run<double, double>(ex, op);
  switch (op.weights.front().dtype) {
  case F2I_F16: return run<float, F16>(ex, op);
  case F2I_BF16: return run<float, Bf16>(ex, op);
  default: return run<float, float>(ex, op);
  }
}

} // namespace f2i::cuda
