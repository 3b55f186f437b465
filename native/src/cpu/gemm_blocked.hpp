// The blocked matrix product under gemm, gram, cholesky_factor and the triangular solves.
#pragma once

#include <functional>

#include "cpu/gemm_kernel.hpp"
#include "cpu/select.hpp"
#include "runtime/exec.hpp"

namespace f2i::cpu {

/// A matrix read through two strides: element (i, j) at data[i row + j col]. Transposes swap the
/// strides, reversed orders negate them.
template <class T> struct Strided {
  const T *data = nullptr;
  int64_t row = 0, col = 0;

  const T *at(int64_t i, int64_t j) const { return data + i * row + j * col; }
  Strided from(int64_t i, int64_t j) const { return {at(i, j), row, col}; }
  Strided transposed() const { return {data, col, row}; }
};

/// y[m, n] = alpha a b + beta c + bias, or y += alpha a b.
template <class T> struct Product {
  int64_t m = 0, n = 0, k = 0;
  Strided<T> a, b;
  /// b in half precision, read through the strides of `b` (b.row = 1): what packs it, and its bits.
  decltype(GemmKernel<T>::pack_f16) pack_half = nullptr;
  const uint16_t *half = nullptr;
  /// Packs rows [p, p + length) and columns [j, j + cols) of b as pack_b does, but fills the last panel
  /// up to nr, when b is not in memory as a matrix.
  const std::function<void(int64_t p, int64_t length, int64_t j, int64_t cols, T *packed)> *pack_columns = nullptr;
  T alpha = 1, beta = 0;
  const T *c = nullptr; // may be y
  int64_t ldc = 0;
  const T *bias = nullptr;
  T *y = nullptr;
  int64_t ldy = 0;
  bool accumulate = false;
  /// Only entries with j <= i + diagonal are wanted; what is left beyond them is unspecified.
  int64_t diagonal = full;
  /// Runs on the calling thread alone: for products inside a task.
  bool serial = false;
  /// Run once, as the first task beside the tiles of y.
  const std::function<void()> *beside = nullptr;
  /// Called once for every rectangle of y (row, rows, column, columns) when it is done and in cache.
  const std::function<void(int64_t, int64_t, int64_t, int64_t)> *finish = nullptr;

  static constexpr int64_t full = INT64_MAX / 2;
};

template <class T> const GemmKernel<T> &gemm_kernel(f2i_isa isa);
template <> inline const GemmKernel<float> &gemm_kernel<float>(f2i_isa isa) {
  return F2I_SELECT(gemm_f32, isa);
}
template <> inline const GemmKernel<double> &gemm_kernel<double>(f2i_isa isa) {
  return F2I_SELECT(gemm_f64, isa);
}

/// Packed operands of products: taken once from an op's scratch, used for all of its products.
template <class T> struct Workspace {
  T *a = nullptr; // shared by the threads
  int64_t a_size = 0;
  T *b = nullptr; // b_size elements a thread
  int64_t b_size = 0;

  /// Enough for products of up to m rows and k terms; false when there is no memory.
  bool reserve(Exec &ex, const GemmKernel<T> &kernel, int64_t m, int64_t k);
};

/// Runs the product on the pool. F2I_CANCELLED or F2I_OK.
template <class T>
f2i_status product(Exec &ex, const GemmKernel<T> &kernel, const Workspace<T> &workspace,
                   const Product<T> &op);

/// Whether thin_product takes the product; a question of its shape alone.
template <class T> bool is_thin(const GemmKernel<T> &kernel, const Product<T> &op);
template <class T>
f2i_status thin_product(Exec &ex, const GemmKernel<T> &kernel, const Workspace<T> &workspace,
                        const Product<T> &op);

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

/// Work below this many multiply-adds is not worth waking the pool for.
constexpr int64_t serial_work = int64_t{1} << 20;

/// parallel_for that stays on this thread where the work is small.
template <class F> void for_tasks(Exec &ex, int64_t tasks, bool serial, F &&task) {
  if (serial || tasks == 1 || ex.pool().threads() == 1) {
    for (int64_t i = 0; i < tasks; ++i) task(i, 0);
  } else {
    ex.pool().parallel_for(tasks, task);
  }
}

} // namespace f2i::cpu
