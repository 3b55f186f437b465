// Eigenvectors of T to those of A: blocks of reflectors in compact WY form (Schreiber & Van Loan, 1989,
// "A storage-efficient WY representation for products of Householder transformations"), so that nearly
// all of the work are products of matrices.
#include <algorithm>

#include "eigh_parts.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t block_rows = 64;

/// With the k reflectors in the rows of v, H_1 ... H_k = I - v^T t v; t is upper triangular, k x k with
/// row stride block_rows. gram is v v^T, likewise.
template <class T> void triangular_factor(int64_t k, const T *tau, const T *gram, T *t) {
  for (int64_t j = 0; j < k; ++j) {
    for (int64_t i = 0; i < k; ++i) t[i * block_rows + j] = 0;
    for (int64_t i = 0; i < j; ++i) {
      T sum = 0;
      for (int64_t q = i; q < j; ++q) sum += t[i * block_rows + q] * gram[q * block_rows + j];
      t[i * block_rows + j] = -tau[j] * sum;
    }
    t[j * block_rows + j] = tau[j];
  }
}

} // namespace

template <class T>
f2i_status reflect(Exec &ex, const Workspace<T> &workspace, const Tridiagonal<T> &t, T *x, int64_t ldx) {
  const GemmKernel<T> &kernel = gemm_kernel<T>(ex.isa());
  const int64_t n = t.n, stride = round_up(n, 16);
  T *v = ex.scratch_of<T>(block_rows * stride), *tv = ex.scratch_of<T>(block_rows * stride);
  T *xv = ex.scratch_of<T>(n * block_rows);
  T *gram = ex.scratch_of<T>(block_rows * block_rows), *factor = ex.scratch_of<T>(block_rows * block_rows);
  if (!v || !tv || !xv || !gram || !factor)
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for a block of reflectors of %lld elements",
                   static_cast<long long>(n));

  auto multiply = [&](int64_t m, int64_t cols, int64_t k, Strided<T> a, Strided<T> b, T *y, int64_t ldy,
                      bool subtract) {
    Product<T> p;
    p.m = m;
    p.n = cols;
    p.k = k;
    p.a = a;
    p.b = b;
    p.alpha = subtract ? T(-1) : T(1);
    p.accumulate = subtract;
    p.y = y;
    p.ldy = ldy;
    return product(ex, kernel, workspace, p);
  };

  // Reflector i has i elements; the first that does anything is that of row 2.
  for (int64_t first = 2; first < n; first += block_rows) {
    const int64_t k = std::min(block_rows, n - first), length = first + k - 1;
    for (int64_t q = 0; q < k; ++q) {
      const T *row = t.a + (first + q) * t.lda;
      std::copy(row, row + first + q, v + q * stride);
      std::fill(v + q * stride + first + q, v + q * stride + length, T(0));
    }
    const Strided<T> rows{v, stride, 1};
    f2i_status status = multiply(k, k, length, rows, rows.transposed(), gram, block_rows, false);
    if (status != F2I_OK) return status;
    triangular_factor(k, t.tau + first, gram, factor);
    status = multiply(k, length, k, {factor, block_rows, 1}, rows, tv, stride, false);
    if (status != F2I_OK) return status;
    status = multiply(n, k, length, {x, ldx, 1}, rows.transposed(), xv, block_rows, false);
    if (status != F2I_OK) return status;
    status = multiply(n, length, k, {xv, block_rows, 1}, {tv, stride, 1}, x, ldx, true);
    if (status != F2I_OK) return status;
  }
  return F2I_OK;
}

template f2i_status reflect(Exec &, const Workspace<float> &, const Tridiagonal<float> &, float *, int64_t);
template f2i_status reflect(Exec &, const Workspace<double> &, const Tridiagonal<double> &, double *, int64_t);

} // namespace f2i::cpu
