// The stages of eigh and what they share. A = H_{n-1} ... H_1 T H_1 ... H_{n-1} with reflectors H_i
// and tridiagonal T (eigh_tridiagonal.cpp), T = Z diag(w) Z^T (eigh_divide.cpp), Q = H_{n-1} ... H_1 Z
// (eigh_reflect.cpp). Eigenvectors are kept in rows, X = Z^T, so that choosing, rotating and scaling
// one is contiguous.
#pragma once

#include "eigh.hpp"
#include "gemm_blocked.hpp"
#include "runtime/exec.hpp"

namespace f2i::cpu {

template <class T> const EighKernel<T> &eigh_kernel(f2i_isa isa);
template <> inline const EighKernel<float> &eigh_kernel<float>(f2i_isa isa) {
  return F2I_SELECT(eigh_f32, isa);
}
template <> inline const EighKernel<double> &eigh_kernel<double>(f2i_isa isa) {
  return F2I_SELECT(eigh_f64, isa);
}

/// Reserves a workspace that suits every product of up to m rows: with the longest step that any of
/// them may take.
template <class T>
bool reserve_for(Workspace<T> &workspace, Exec &ex, const GemmKernel<T> &kernel, int64_t m) {
  return workspace.reserve(ex, kernel, m, round_up(std::max<int64_t>(m, 1), kernel.kc));
}

/// A copy of the input whose lower triangle the stages overwrite; row i < n at a + i lda.
template <class T> struct Tridiagonal {
  int64_t n = 0;
  T *a = nullptr; // after reduction: reflector i in a[i, 0..i), its last element 1
  int64_t lda = 0;
  T *tau = nullptr;      // [n]; H_i = I - tau[i] v v^T
  double *d = nullptr;   // [n] diagonal
  double *e = nullptr;   // [n] e[i] couples i and i + 1
};

template <class T>
f2i_status tridiagonalize(Exec &ex, const Workspace<T> &workspace, const Tridiagonal<T> &t);

/// Eigendecomposition of the tridiagonal matrix (d, e), which are overwritten: w[order[i]] ascending in
/// i, with eigenvectors in the rows of x.
template <class T> struct TridiagonalSolution {
  double *w = nullptr;        // [n]
  int32_t *order = nullptr;   // [n]
  T *x = nullptr;             // [n, n], row stride ldx
  int64_t ldx = 0;
  T *secular = nullptr;       // [n, n] workspace
  T *packed = nullptr;        // [n, n] workspace
};

template <class T>
f2i_status divide_and_conquer(Exec &ex, const Workspace<T> &workspace, const Tridiagonal<T> &t,
                              const TridiagonalSolution<T> &solution);

/// x = x H_1 H_2 ... H_{n-1}: eigenvectors of T become those of A.
template <class T>
f2i_status reflect(Exec &ex, const Workspace<T> &workspace, const Tridiagonal<T> &t, T *x, int64_t ldx);

} // namespace f2i::cpu
