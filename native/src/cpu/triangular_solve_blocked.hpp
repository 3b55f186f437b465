// Forward substitution for many right-hand sides, under triangular_solve and cholesky_solve.
#pragma once

#include "cpu/gemm_blocked.hpp"

namespace f2i::cpu {

/// Solves l y = b and l^T y = b in place of b.
template <class T> class TriangularSolver {
public:
  TriangularSolver(Exec &ex, int64_t n, int64_t t)
      : ex_(ex), kernel_(gemm_kernel<T>(ex.isa())), n_(n), t_(t) {}

  /// Takes the scratch memory; false when there is none.
  bool reserve();
  /// l[n, n] lower triangular with leading dimension ldl, y[n, t].
  f2i_status solve(const T *l, int64_t ldl, bool transpose, T *y, int64_t ldy);

private:
  void solve_block(const Strided<T> &l, int64_t rows, T *y, int64_t ldy);

  Exec &ex_;
  const GemmKernel<T> &kernel_;
  int64_t n_, t_, step_ = 0;
  Workspace<T> workspace_;
  T *triangle_ = nullptr;
};

/// Copies b to y, where they differ.
void copy_right_hand_sides(Exec &ex, const View &b, const View &y);

/// Elements of a packed triangle of order n.
template <class T> int64_t triangle_size(const GemmKernel<T> &kernel, int64_t n) {
  const int64_t panels = ceil_div(n, kernel.mr);
  return kernel.mr * kernel.mr * panels * (panels + 1) / 2;
}

} // namespace f2i::cpu
