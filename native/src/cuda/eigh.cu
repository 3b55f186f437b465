// a = q diag(w) q^T by the block Jacobi method (eigh_jacobi.cuh), all of it on the
// device: the lower triangle is scaled by a power of two, so that nothing
// overflows, and made diagonal; eigenvalues are ranked, and eigenvectors stored in
// their order, the largest entry of each positive. What only the device knows, an
// entry that is not finite, is found out when somebody waits.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>

#include "cuda/eigh_jacobi.cuh"
#include "cuda/ops.hpp"
#include "cuda/reduce.cuh"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

using jacobi::State, jacobi::Work;

constexpr int threads = 256;

__global__ void __launch_bounds__(32) clear_kernel(State *state, int64_t n) {
  if (threadIdx.x == 0) *state = {n, 0, ~0ull, 0, 1, 0, 0};
}

/// The largest magnitude of the lower triangle, and the first entry that is not finite. Rows by blocks.
template <class T> __global__ void __launch_bounds__(threads) look_kernel(Matrix<const T> a, int64_t n, State *state) {
  double largest = 0;
  for (int64_t i = blockIdx.x; i < n; i += gridDim.x) {
    for (int64_t j = threadIdx.x; j <= i; j += threads) {
      const double value = static_cast<double>(a(i, j)), size = value < 0 ? -value : value;
      if (!is_finite(value)) atomicMin(&state->not_finite, static_cast<unsigned long long>(i * n + j));
      largest = Max()(largest, size);
    }
  }
  largest = reduce_warp(largest, Max());
  if (threadIdx.x % 32 == 0) atomicMax(&state->largest, static_cast<unsigned long long>(__double_as_longlong(largest)) & ~(1ull << 63));
}

/// The power of two that brings the largest magnitude to [1/2, 1), and what is wrong with the matrix.
template <class T> __global__ void __launch_bounds__(32) scale_kernel(Matrix<const T> a, int64_t n, State *state) {
  if (threadIdx.x != 0) return;
  const auto bad = static_cast<int64_t>(state->not_finite);
  if (bad >= 0) state->not_finite_value = static_cast<double>(a(bad / n, bad % n));
  const auto bits = static_cast<long long>(state->largest);
  // Of a number of the range of f64 whose exponent field is e: 2^(e - 1022), kept where its inverse is normal, too.
  long long exponent = (bits >> 52) - 1022;
  exponent = exponent < -1000 ? -1000 : exponent > 1000 ? 1000 : exponent;
  state->scale = bits == 0 || bad >= 0 ? 1 : __longlong_as_double((1023 - exponent) << 52);
  // Nothing to do, or nothing that helps.
  state->converged = bits == 0 || bad >= 0 ? 1 : 0;
}

/// The scaled matrix from its lower triangle, and below it the identity. Zeros of a matrix that is refused, so that its
/// eigenvalues have an order.
template <class T> struct Begin {
  Matrix<const T> a;
  Work<T> w;
  __device__ T load(int64_t i, int64_t j) const {
    if (i >= w.n) return i - w.n == j ? T(1) : T(0);
    if (w.state->not_finite != ~0ull) return T(0);
    return static_cast<T>(static_cast<double>(i >= j ? a(i, j) : a(j, i)) * w.state->scale);
  }
  __device__ void store(int64_t i, int64_t j, T value) const { w.a[i * w.n + j] = value; }
};

/// Of eigenpair j: its place in ascending order, ties by j, and what its vector is multiplied by: to length 1, its
/// largest entry positive.
template <class T>
__global__ void __launch_bounds__(threads) rank_kernel(Work<T> w, int64_t *order, double *factors, T *values) {
  const int64_t j = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (j >= w.n) return;
  const T value = w.a[j * w.n + j];
  int64_t rank = 0;
  for (int64_t i = 0; i < w.n; ++i) {
    const T other = w.a[i * w.n + i];
    if (other < value || (other == value && i < j)) ++rank;
  }
  double largest = 0, sign = 1, squares = 0;
  for (int64_t i = 0; i < w.n; ++i) {
    const auto entry = static_cast<double>(w.a[(w.n + i) * w.n + j]), size = entry < 0 ? -entry : entry;
    squares = fused(entry, entry, squares);
    if (size > largest) {
      largest = size;
      sign = entry < 0 ? -1 : 1;
    }
  }
  order[rank] = j;
  factors[rank] = sign / root(squares);
  values[rank] = static_cast<T>(static_cast<double>(value) / w.state->scale);
}

/// Eigenvectors in their order.
template <class T> struct Finish {
  Work<T> w;
  const int64_t *order;
  const double *factors;
  Matrix<T> q;
  __device__ T load(int64_t i, int64_t j) const {
    return static_cast<T>(static_cast<double>(w.a[(w.n + i) * w.n + order[j]]) * factors[j]);
  }
  __device__ void store(int64_t i, int64_t j, T value) const { q(i, j) = value; }
};

f2i_status judge(const void *found, char *text, size_t size) {
  State state;
  std::memcpy(&state, found, sizeof state);
  if (state.not_finite != ~0ull) {
    const auto n = static_cast<unsigned long long>(state.n);
    std::snprintf(text, size, "a[%llu, %llu] is %g, expected a finite number", state.not_finite / n, state.not_finite % n,
                  state.not_finite_value);
    return F2I_NO_CONVERGENCE;
  }
  if (state.converged != 0) return F2I_OK;
  std::snprintf(text, size, "not diagonal after %d sweeps", jacobi::most_sweeps);
  return F2I_NO_CONVERGENCE;
}

template <class T> f2i_status sweep(Exec &ex, const Work<T> &w) {
  const auto stretches = [](int64_t extent) { return static_cast<unsigned>(ceil_div(extent, jacobi::turn_width)); };
  const auto pairs = static_cast<unsigned>(w.blocks / 2);
  const size_t turn = sizeof(jacobi::Turn<T>);
  // Smaller entries move no eigenvalue by more than a rounding of the largest entry.
  const double threshold = static_cast<double>(std::numeric_limits<T>::epsilon()) / 4;
  for (int round = 0; round < w.blocks - 1; ++round) {
    F2I_TRY(launch(ex, "eigh, pairs", jacobi::solve_kernel<T>, dim3(pairs), dim3(jacobi::solve_threads), sizeof(jacobi::Pair), w,
                   round, threshold));
    F2I_TRY(launch(ex, "eigh, columns", jacobi::turn_kernel<T, false>, dim3(stretches(2 * w.n), pairs),
                   dim3(jacobi::turn_threads), turn, w, round));
    F2I_TRY(launch(ex, "eigh, rows", jacobi::turn_kernel<T, true>, dim3(stretches(w.n), pairs), dim3(jacobi::turn_threads), turn,
                   w, round));
  }
  return launch(ex, "eigh, end of a sweep", jacobi::end_sweep_kernel, dim3(1), dim3(32), 0, w.state);
}

template <class T> f2i_status run(Exec &ex, const Eigh &op) {
  const int64_t n = op.a.rows;
  if (n == 0) return F2I_OK;
  const int64_t blocks = std::max<int64_t>(ceil_div(ceil_div(n, jacobi::block), 2) * 2, 2);
  if (blocks / 2 > 65535) return ex.fail(F2I_UNSUPPORTED, "more pairs of blocks than a grid has");
  const int64_t of_pairs = blocks / 2 * jacobi::pair * jacobi::pair;
  Work<T> w{ex.scratch_of<T>(2 * n * n), n, static_cast<int>(blocks), ex.scratch_of<T>(of_pairs), ex.scratch_of<T>(of_pairs),
            ex.scratch_of<State>(1)};
  auto *const order = ex.scratch_of<int64_t>(n);
  auto *const factors = ex.scratch_of<double>(n);
  if (w.a == nullptr || w.turns == nullptr || w.diagonals == nullptr || w.state == nullptr || order == nullptr || factors == nullptr) {
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the workspace of a %lld x %lld matrix", static_cast<long long>(n),
                   static_cast<long long>(n));
  }
  const auto a = input_of<T>(op.a);
  F2I_TRY(F2I_LAUNCH(ex, clear_kernel, dim3(1), dim3(32), 0, w.state, n));
  F2I_TRY(F2I_LAUNCH(ex, (look_kernel<T>), dim3(static_cast<unsigned>(std::min<int64_t>(n, 1024))), dim3(threads), 0, a, n, w.state));
  F2I_TRY(F2I_LAUNCH(ex, (scale_kernel<T>), dim3(1), dim3(32), 0, a, n, w.state));
  F2I_TRY(for_tiles(ex, "eigh, scaling", 2 * n, n, Begin<T>{a, w}));
  for (int s = 0; s < jacobi::most_sweeps; ++s) F2I_TRY(sweep(ex, w));
  F2I_TRY(F2I_LAUNCH(ex, (rank_kernel<T>), dim3(static_cast<unsigned>(ceil_div(n, threads))), dim3(threads), 0, w, order, factors,
                     op.w.as<T>()));
  F2I_TRY(for_tiles(ex, "eigh, vectors", n, n, Finish<T>{w, order, factors, matrix_of<T>(op.q)}));
  return ex.judge_later(w.state, sizeof(State), judge);
}

} // namespace

f2i_status eigh(Exec &ex, const Eigh &op) {
  return with_float(op.a.dtype, [&](auto zero) { return run<decltype(zero)>(ex, op); });
}

} // namespace f2i::cuda
