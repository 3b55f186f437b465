// Matrix products by tiles, for every op that is one: gemm, linear, gram,
// cosine_matrix, conv2d, and the updates of the factorisations.
//
//   y[i, j] = finish(i, j, sum over p of a(i, p) b(j, p))
//
// The operands' layouts and types, the split of the sum and what finish does are
// the caller's; the tiles, the pipeline and the arithmetic are gemm_simt.cuh (any
// type, any device) and gemm_mma.cuh (f32 on tensor cores, sm_80 and newer).
#pragma once

#include "cuda/activate.cuh"

namespace f2i::cuda {

/// Entry (i, p) of plane q lies at data[i * by_row + p * by_term + q * by_plane]. `along`: by_term is 1,
/// else by_row is. S: f32, f64, or f16 and bf16, which are widened.
template <class S, bool along_terms> struct Operand {
  using Stored = S;
  static constexpr bool along = along_terms;
  const S *data = nullptr;
  int64_t step = 0; // the one that is not 1
  int64_t by_plane = 0;
  __device__ __forceinline__ auto at(int64_t plane, int64_t i, int64_t p) const {
    return widen(data[plane * by_plane + (along ? i * step + p : p * step + i)]);
  }
};

/// What becomes of a sum: alpha sum + beta c + bias, activated, + residual, limited.
template <class T> struct Finish {
  T alpha = 1, beta = 0;
  const T *c = nullptr;
  int64_t ldc = 0;
  const T *row_bias = nullptr;    // one a column of y
  const T *column_bias = nullptr; // one a row of y
  f2i_activation_kind activation = F2I_ACTIVATION_NONE;
  const T *residual = nullptr;
  int64_t ldr = 0;
  bool limit = false;  // to [-1, 1]
  bool lower = false;  // entries above the diagonal are left as they are
  bool mirror = false; // y is symmetric: entry (j, i) is written with (i, j), i >= j
  T *y = nullptr;
  int64_t ldy = 0;
  int64_t c_plane = 0, residual_plane = 0, y_plane = 0;

  __device__ __forceinline__ void store(int64_t i, int64_t j, int64_t plane, T sum) const {
    if ((mirror || lower) && j > i) return;
    T value = alpha * sum;
    if (c != nullptr) value = fused(beta, c[plane * c_plane + i * ldc + j], value);
    if (row_bias != nullptr) value += row_bias[j];
    if (column_bias != nullptr) value += column_bias[i];
    value = activate(activation, value);
    if (residual != nullptr) value += residual[plane * residual_plane + i * ldr + j];
    if (limit) value = value > T(1) ? T(1) : value < T(-1) ? T(-1) : value;
    y[plane * y_plane + i * ldy + j] = value;
    if (mirror && i != j) y[plane * y_plane + j * ldy + i] = value;
  }
};

/// A and B: Operand, or anything with its `along`, `Stored` and at().
template <class T, class A, class B> struct Product {
  int64_t m = 0, n = 0, k = 0, planes = 1;
  A a;
  B b;
  Finish<T> finish;
  /// Only tiles that have entries on or below the diagonal; m = n.
  bool lower = false;
};

/// Which tile a block has. Of a triangle, tiles are numbered by rows: (0,0), (1,0), (1,1), (2,0), ...
struct TileAt {
  int64_t row, column;
};
__device__ __forceinline__ TileAt tile_at(bool lower, int64_t tile, int64_t columns) {
  if (!lower) return {tile / columns, tile % columns};
  int64_t row = static_cast<int64_t>((sqrt(8.0 * static_cast<double>(tile) + 1) - 1) / 2);
  while (row * (row + 1) / 2 > tile) --row;
  while ((row + 1) * (row + 2) / 2 <= tile) ++row;
  return {row, tile - row * (row + 1) / 2};
}
inline int64_t tiles_of(bool lower, int64_t rows, int64_t columns) {
  return lower ? rows * (rows + 1) / 2 : rows * columns;
}

/// Sums of `splits` ranges of terms, each m x n after the other, become y, in their order.
template <class T>
__global__ void __launch_bounds__(256) join_splits_kernel(const T *parts, int64_t splits, int64_t m, int64_t n, bool lower,
                                                          Finish<T> finish) {
  const int64_t all = m * n, step = static_cast<int64_t>(gridDim.x) * 256;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; e < all; e += step) {
    const int64_t i = e / n, j = e - i * n;
    if (lower && j > i) continue;
    T sum = parts[e];
    for (int64_t s = 1; s < splits; ++s) sum += parts[s * all + e];
    finish.store(i, j, 0, sum);
  }
}

} // namespace f2i::cuda
