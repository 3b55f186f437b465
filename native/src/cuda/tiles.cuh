// Ops whose every output is made by itself: a functor loads what one needs and
// stores it. All loads of a thread are begun before its first store, so that
// enough of them are on their way to fill the memory's bandwidth; neighbouring
// threads have neighbouring columns.
//
//   struct F {
//     __device__ Loaded load(int64_t i, int64_t j) const;
//     __device__ void store(int64_t i, int64_t j, Loaded value) const;
//   };
#pragma once

#include "cuda/kernel.cuh"

namespace f2i::cuda {

constexpr int tile_threads = 256, tile_items = 4, tile_cols = tile_threads * tile_items;

template <class F> __global__ void __launch_bounds__(tile_threads) tiles_kernel(F f, int64_t rows, int64_t cols) {
  using Loaded = decltype(f.load(int64_t{}, int64_t{}));
  const int64_t first = static_cast<int64_t>(blockIdx.x) * tile_cols + threadIdx.x;
  const bool whole = static_cast<int64_t>(blockIdx.x + 1) * tile_cols <= cols;
  for (int64_t i = blockIdx.y; i < rows; i += gridDim.y) {
    Loaded values[tile_items];
    if (whole) {
#pragma unroll
      for (int u = 0; u < tile_items; ++u) values[u] = f.load(i, first + u * tile_threads);
#pragma unroll
      for (int u = 0; u < tile_items; ++u) f.store(i, first + u * tile_threads, values[u]);
    } else {
#pragma unroll
      for (int u = 0; u < tile_items; ++u) {
        if (first + u * tile_threads < cols) values[u] = f.load(i, first + u * tile_threads);
      }
#pragma unroll
      for (int u = 0; u < tile_items; ++u) {
        if (first + u * tile_threads < cols) f.store(i, first + u * tile_threads, values[u]);
      }
    }
  }
}

/// Columns few: a thread takes an element of the matrix in row-major order instead.
template <class F> __global__ void __launch_bounds__(tile_threads) narrow_kernel(F f, int64_t rows, int64_t cols) {
  const int64_t all = rows * cols, step = static_cast<int64_t>(gridDim.x) * tile_threads;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * tile_threads + threadIdx.x; e < all; e += step) {
    const int64_t i = e / cols, j = e - i * cols;
    f.store(i, j, f.load(i, j));
  }
}

/// rows x cols outputs; name: the op's, for errors.
template <class F> f2i_status for_tiles(Exec &ex, const char *name, int64_t rows, int64_t cols, const F &f) {
  if (rows <= 0 || cols <= 0) return F2I_OK;
  if (rows > 1 && cols < tile_cols / 2) {
    const int64_t blocks = ceil_div(rows * cols, tile_threads);
    return launch(ex, name, narrow_kernel<F>, dim3(static_cast<unsigned>(blocks < 0x40000000 ? blocks : 0x40000000)),
                  dim3(tile_threads), 0, f, rows, cols);
  }
  const dim3 grid(static_cast<unsigned>(ceil_div(cols, tile_cols)), static_cast<unsigned>(rows < 65535 ? rows : 65535));
  return launch(ex, name, tiles_kernel<F>, grid, dim3(tile_threads), 0, f, rows, cols);
}

} // namespace f2i::cuda
