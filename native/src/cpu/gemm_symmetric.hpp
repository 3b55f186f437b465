// The two triangles of a square matrix.
#pragma once

#include <algorithm>

#include "cpu/gemm_blocked.hpp"

namespace f2i::cpu {

/// Runs f(row, col, rows, cols) on the pool over square tiles that cover the triangle j <= i of
/// [n, n]; tiles on the diagonal have row == col.
template <class F> void for_lower_tiles(Exec &ex, int64_t n, F &&f) {
  constexpr int64_t side = 128;
  const int64_t tiles = ceil_div(n, side);
  for_tasks(ex, tiles, n <= 2 * side, [&](int64_t task, int) {
    if (ex.cancelled()) return;
    const int64_t i = tiles - 1 - task; // the longest rows first
    for (int64_t j = 0; j <= i; ++j) {
      f(i * side, j * side, std::min(side, n - i * side), std::min(side, n - j * side));
    }
  });
}

/// Copies the strict lower triangle of y[n, n] to the upper one.
template <class T> void mirror_lower(Exec &ex, const GemmKernel<T> &kernel, int64_t n, T *y, int64_t ldy) {
  for_lower_tiles(ex, n, [&](int64_t i, int64_t j, int64_t rows, int64_t cols) {
    if (i != j) {
      kernel.transpose(rows, cols, y + i * ldy + j, ldy, y + j * ldy + i, ldy);
      return;
    }
    for (int64_t r = i; r < i + rows; ++r) {
      for (int64_t c = i; c < r; ++c) y[c * ldy + r] = y[r * ldy + c];
    }
  });
}

} // namespace f2i::cpu
