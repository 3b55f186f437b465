// Sweeps of the two-sided block Jacobi method for symmetric matrices (Golub and
// Van Loan, "Matrix Computations", section 8.5). Indices go in blocks of 16; a
// round takes them in disjoint pairs, by the order of a tournament in which every
// block meets every other once a sweep (Brent and Luk 1985, section 3):
//
//   solve_kernel    rotates the 32 x 32 matrix of each pair once over all of its
//                   entries, in double, and keeps the product J of the rotations
//   turn_kernel     multiplies the pair's columns of the matrix, and of the vectors
//                   below it, by J, and then the pair's rows by J^T
//
// A sweep costs some 12 n^3 operations; sweeps bring a matrix to diagonal form,
// quadratically at last. Nothing waits: kernels behind the last sweep that had
// something to do return at once.
#pragma once

#include "cuda/number.cuh"

namespace f2i::cuda::jacobi {

constexpr int block = 16, pair = 2 * block; // indices
constexpr int most_sweeps = 20;

/// What host and kernels tell each other.
struct State {
  int64_t n;
  unsigned long long largest;   // bits of the largest magnitude; those of NaN are above all others
  unsigned long long not_finite; // row-major index of the first entry of the lower triangle that is not; ~0: none
  double not_finite_value, scale; // scale: a power of two
  int rotated, converged;       // an entry that mattered was rotated in this sweep; in the last, none
};

/// The work: the scaled matrix and below it the vectors so far, n columns each, by rows.
template <class T> struct Work {
  T *a; // 2 n x n
  int64_t n;
  int blocks; // even; the last may be short or empty
  T *turns, *diagonals; // of each pair: J, and J^T (its matrix) J; pair x pair
  State *state;
};

/// The blocks that meet in place k of a round; first < second.
struct Meeting {
  int first, second;
  __host__ __device__ __forceinline__ Meeting(int blocks, int round, int k) {
    const int others = blocks - 1; // the last block stays, the others go round
    const int x = k == 0 ? others : (round + k) % others, y = k == 0 ? round : (round + others - k) % others;
    first = x < y ? x : y;
    second = x < y ? y : x;
  }
  /// Index `at` of the pair's 32 as one of the matrix; -1 behind its end.
  __device__ __forceinline__ int64_t index(int at, int64_t n) const {
    const int64_t i = static_cast<int64_t>(at < block ? first : second) * block + at % block;
    return i < n ? i : -1;
  }
  /// Of an index of the matrix: its place in the pair, or -1.
  __device__ __forceinline__ int place(int64_t i) const {
    const int64_t of = i / block;
    return of == first ? static_cast<int>(i % block) : of == second ? block + static_cast<int>(i % block) : -1;
  }
};

constexpr int solve_threads = 128;
struct Pair {
  double a[pair][pair + 1], turn[pair][pair + 1];
  double cosine[block], sine[block]; // of the rotations that go on at once
  int rotated;
};

/// A rotation of p and q that makes entry (p, q) zero, by the smaller angle (Golub and Van Loan, algorithm 8.5.1).
__device__ __forceinline__ void find_rotation(double pp, double pq, double qq, double &cosine, double &sine) {
  cosine = 1;
  sine = 0;
  if (pq == 0) return;
  const double tau = (qq - pp) / (2 * pq), size = tau < 0 ? -tau : tau;
  const double tangent = (tau < 0 ? -1 : 1) / (size + root(1 + tau * tau)); // 0 where tau overflows
  cosine = 1 / root(1 + tangent * tangent);
  sine = tangent * cosine;
  // Thousands of rotations follow each other: what is missing to cosine^2 + sine^2 = 1 would add up.
  const double half_missing = fused(-sine, sine, fused(-cosine, cosine, 1.0)) / 2;
  cosine = fused(cosine, half_missing, cosine);
  sine = fused(sine, half_missing, sine);
}

/// gridDim: pairs. The entries of a pair meet in a tournament of their own.
template <class T> __global__ void __launch_bounds__(solve_threads) solve_kernel(Work<T> w, int round, double threshold) {
  if (w.state->converged != 0) return; // the whole block
  Pair &s = shared_memory<Pair>();
  const int thread = static_cast<int>(threadIdx.x);
  const Meeting blocks(w.blocks, round, static_cast<int>(blockIdx.x));
  if (thread == 0) s.rotated = 0;
  for (int e = thread; e < pair * pair; e += solve_threads) {
    const int row = e / pair, col = e % pair;
    const int64_t i = blocks.index(row > col ? row : col, w.n), j = blocks.index(row > col ? col : row, w.n);
    s.a[row][col] = i >= 0 && j >= 0 ? static_cast<double>(w.a[i * w.n + j]) : 0;
    s.turn[row][col] = row == col ? 1 : 0;
  }
  __syncthreads();
  for (int step = 0; step < pair - 1; ++step) {
    if (thread < block) {
      const Meeting at(pair, step, thread);
      const double pq = s.a[at.first][at.second];
      if (pq > threshold || pq < -threshold) s.rotated = 1;
      find_rotation(s.a[at.first][at.first], pq, s.a[at.second][at.second], s.cosine[thread], s.sine[thread]);
    }
    __syncthreads();
    for (int e = thread; e < block * pair; e += solve_threads) { // columns p and q of the matrix and of the turn
      const int k = e % block, row = e / block;
      const Meeting at(pair, step, k);
      const double c = s.cosine[k], d = s.sine[k];
      const double p = s.a[row][at.first], q = s.a[row][at.second];
      s.a[row][at.first] = c * p - d * q;
      s.a[row][at.second] = d * p + c * q;
      const double u = s.turn[row][at.first], v = s.turn[row][at.second];
      s.turn[row][at.first] = c * u - d * v;
      s.turn[row][at.second] = d * u + c * v;
    }
    __syncthreads();
    for (int e = thread; e < block * pair; e += solve_threads) { // rows p and q of the matrix
      const int k = e / pair, col = e % pair;
      const Meeting at(pair, step, k);
      const double c = s.cosine[k], d = s.sine[k];
      const double p = s.a[at.first][col], q = s.a[at.second][col];
      s.a[at.first][col] = col == at.second ? 0 : c * p - d * q;
      s.a[at.second][col] = col == at.first ? 0 : d * p + c * q;
    }
    __syncthreads();
  }
  for (int e = thread; e < pair * pair; e += solve_threads) {
    const int64_t to = static_cast<int64_t>(blockIdx.x) * pair * pair + e;
    w.turns[to] = static_cast<T>(s.turn[e / pair][e % pair]);
    w.diagonals[to] = static_cast<T>(s.a[e / pair][e % pair]);
  }
  if (thread == 0 && s.rotated != 0) w.state->rotated = 1; // whoever writes it, writes the same
}

constexpr int turn_threads = 256, turn_width = 64, turn_items = pair * turn_width / turn_threads;
template <class T> struct Turn {
  T turn[pair][pair];
  T x[pair][turn_width + 1]; // the pair's 32 rows, or columns, of 64 columns, or rows
};

/// rows: x = J^T x for the pairs' rows of the matrix; else x = x J for their columns of matrix and vectors. What the
/// pair's own rows and columns have in common is known from solve_kernel, exactly diagonal where it can be.
/// gridDim: stretches of 64, pairs.
template <class T, bool rows> __global__ void __launch_bounds__(turn_threads) turn_kernel(Work<T> w, int round) {
  if (w.state->converged != 0) return; // the whole block
  Turn<T> &s = shared_memory<Turn<T>>();
  const int thread = static_cast<int>(threadIdx.x);
  const Meeting blocks(w.blocks, round, static_cast<int>(blockIdx.y));
  const int64_t first = static_cast<int64_t>(blockIdx.x) * turn_width, across = rows ? w.n : 2 * w.n;
  const T *const turn = w.turns + static_cast<int64_t>(blockIdx.y) * pair * pair;
  const T *const diagonal = w.diagonals + static_cast<int64_t>(blockIdx.y) * pair * pair;
  for (int e = thread; e < pair * pair; e += turn_threads) s.turn[e / pair][e % pair] = turn[e];
  // Neighbouring threads have neighbouring columns of the matrix.
  const auto place_of = [](int e) { return rows ? e / turn_width : e % pair; };
  const auto other_of = [](int e) { return rows ? e % turn_width : e / pair; };
  const auto entry = [&](int place, int other) -> T * {
    const int64_t i = blocks.index(place, w.n), j = first + other;
    if (i < 0 || j >= across) return nullptr;
    return rows ? w.a + i * w.n + j : w.a + j * w.n + i;
  };
  for (int e = thread; e < pair * turn_width; e += turn_threads) {
    const T *const from = entry(place_of(e), other_of(e));
    s.x[place_of(e)][other_of(e)] = from != nullptr ? *from : T(0);
  }
  __syncthreads();
  T sums[turn_items] = {};
  const int other = thread % turn_width, place = thread / turn_width * turn_items;
#pragma unroll 4
  for (int p = 0; p < pair; ++p) {
    const T x = s.x[p][other];
#pragma unroll
    for (int u = 0; u < turn_items; ++u) sums[u] = fused(s.turn[p][place + u], x, sums[u]);
  }
  __syncthreads(); // all have read x
#pragma unroll
  for (int u = 0; u < turn_items; ++u) s.x[place + u][other] = sums[u];
  __syncthreads();
  for (int e = thread; e < pair * turn_width; e += turn_threads) {
    T *const to = entry(place_of(e), other_of(e));
    if (to == nullptr) continue;
    const int known = rows ? blocks.place(first + other_of(e)) : -1;
    *to = known >= 0 ? diagonal[place_of(e) * pair + known] : s.x[place_of(e)][other_of(e)];
  }
}

/// Behind a sweep.
__global__ void __launch_bounds__(32) end_sweep_kernel(State *state) {
  if (threadIdx.x != 0) return;
  if (state->rotated == 0) state->converged = 1;
  state->rotated = 0;
}

} // namespace f2i::cuda::jacobi
