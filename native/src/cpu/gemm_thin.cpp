// Products with few rows or few columns: the large operand is read once, from where it lies, since
// packing it would cost more than the arithmetic. y^T = b^T a^T turns few columns into few rows.
#include <algorithm>

#include "cpu/gemm_blocked.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t most_sums = 4096; // of any kernel's thin product

} // namespace

template <class T> bool is_thin(const GemmKernel<T> &kernel, const Product<T> &op) {
  if (op.diagonal != Product<T>::full || op.serial || op.beside || op.half || op.pack_columns) return false;
  const bool by_rows = op.m <= op.n;
  const Strided<T> &x = by_rows ? op.b : op.a;
  const bool readable = (x.row == 1 && x.col >= 0) || (x.col == 1 && x.row >= 0);
  return readable && std::min(op.m, op.n) <= kernel.thin && op.k >= 16;
}

template <class T>
f2i_status thin_product(Exec &ex, const GemmKernel<T> &kernel, const Workspace<T> &workspace,
                        const Product<T> &op) {
  const bool by_rows = op.m <= op.n;
  const int64_t r = by_rows ? op.m : op.n, n = by_rows ? op.n : op.m;
  const Strided<T> s = by_rows ? op.a : op.b.transposed();   // [r, k]
  const Strided<T> x = by_rows ? op.b.transposed() : op.a;   // [n, k]
  const bool dots = x.col == 1;
  // Steps between neighbours of y and c along the thin and the long side.
  const int64_t y_thin = by_rows ? op.ldy : 1, y_long = by_rows ? 1 : op.ldy;
  const int64_t c_thin = by_rows ? op.ldc : 1, c_long = by_rows ? 1 : op.ldc;

  const int64_t most_k = std::max<int64_t>(kernel.kc, workspace.a_size / r / kernel.kc * kernel.kc);
  for (int64_t k0 = 0; k0 < op.k; k0 += most_k) {
    const int64_t k = std::min(most_k, op.k - k0);
    T *packed = workspace.a; // s, along k for dot products, across it otherwise
    for (int64_t i = 0; i < r; ++i) {
      for (int64_t p = 0; p < k; ++p) packed[dots ? i * k + p : p * r + i] = *s.at(i, k0 + p);
    }
    // Dot products are long and independent: a task may have few. Sums of rows want rows of a page
    // at least, which are visited once then. An element's bits do not depend on the width, a
    // multiple of any vector.
    const int threads = ex.pool().threads();
    const int64_t most = kernel.thin_size / r / 16 * 16;
    const int64_t page = 4096 / static_cast<int64_t>(sizeof(T));
    const int64_t row = std::max(ceil_div(n, threads == 1 ? 1 : 4 * threads), std::min(page, ceil_div(n, threads)));
    const int64_t widest = std::clamp<int64_t>(round_up(dots ? 32768 / k : row, 16), dots ? 16 : 256, most);
    const int64_t width = round_up(ceil_div(n, ceil_div(n, widest)), 16);
    for_tasks(ex, ceil_div(n, width), op.serial || r * n * k < serial_work / 8, [&](int64_t task, int) {
      if (ex.cancelled()) return;
      alignas(64) T sums[most_sums];
      const int64_t j0 = task * width, cols = std::min(width, n - j0);
      std::fill_n(sums, r * cols, T(0));
      if (dots) kernel.thin_dots(r, cols, k, packed, k, x.at(j0, k0), x.row, sums);
      else kernel.thin_rows(r, cols, k, packed, x.at(j0, k0), x.col, sums);
      for (int64_t i = 0; i < r; ++i) {
        for (int64_t j = j0; j < j0 + cols; ++j) {
          T value = op.alpha * sums[i * cols + j - j0];
          T *y = op.y + i * y_thin + j * y_long;
          if (op.accumulate || k0 > 0) {
            value += *y;
          } else {
            if (op.c) value += op.beta * op.c[i * c_thin + j * c_long];
            if (op.bias) value += op.bias[by_rows ? j : i];
          }
          *y = value;
        }
      }
      if (!op.finish || k0 + k < op.k) return;
      if (by_rows) (*op.finish)(0, r, j0, cols);
      else (*op.finish)(j0, cols, 0, r);
    });
  }
  return ex.cancelled() ? F2I_CANCELLED : F2I_OK;
}

template bool is_thin(const GemmKernel<float> &, const Product<float> &);
template bool is_thin(const GemmKernel<double> &, const Product<double> &);
template f2i_status thin_product(Exec &, const GemmKernel<float> &, const Workspace<float> &,
                                 const Product<float> &);
template f2i_status thin_product(Exec &, const GemmKernel<double> &, const Workspace<double> &,
                                 const Product<double> &);

} // namespace f2i::cpu
