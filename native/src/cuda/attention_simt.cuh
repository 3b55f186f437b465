// Attention on the plain cores, for f64, for devices before sm_80, and for what
// is not finite. A block has 32 queries at a time, passes over the keys 32 at a
// time, and keeps of each query its largest logit, the sum of exponentials
// relative to it, and the weighted sum of values.
#pragma once

#include "cuda/attention.cuh"
#include "cuda/reduce.cuh"

namespace f2i::cuda::attend::simt {

constexpr int queries = 32, keys = 32, depth = 32; // of a block, of a pass, dimensions at once
constexpr int warps = 8, threads = warps * 32;

template <class T> struct Shared {
  T q[queries][depth + 1], k[keys][depth + 1];
  T weights[queries][keys + 1];
};

/// Queries [i0, i0 + 32) of a share, columns [e0, e0 + 32 columns), by a block of so many warps.
template <class T, int columns, int warps>
__device__ __forceinline__ void attend_plainly(const Problem<T> &p, const Share<T> &share, int64_t i0) {
  constexpr int rows = queries / warps; // of a warp
  Shared<T> &shared = shared_memory<Shared<T>>();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t b = share.b, h = share.h;

  T most[rows], sum[rows], result[rows][columns];
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    most[r] = -infinity<T>();
    sum[r] = 0;
#pragma unroll
    for (int u = 0; u < columns; ++u) result[r][u] = 0;
  }
  for (int64_t j0 = share.first; j0 < share.last; j0 += keys) {
    T logits[rows] = {};
    for (int64_t d0 = 0; d0 < p.d; d0 += depth) {
      __syncthreads(); // all have done with the last dimensions
      for (int r = warp; r < queries; r += warps) {
        const int64_t i = i0 + r, j = j0 + r, c = d0 + lane;
        shared.q[r][lane] = i < p.n && c < p.d ? p.q(p.query_row(b, h, i), c) : T(0);
        shared.k[r][lane] = j < share.last && c < p.d ? share.keys.at(j)[c] : T(0);
      }
      __syncthreads();
#pragma unroll 8
      for (int c = 0; c < depth; ++c) {
        const T of_k = shared.k[lane][c];
#pragma unroll
        for (int r = 0; r < rows; ++r) logits[r] = fused(shared.q[warp * rows + r][c], of_k, logits[r]);
      }
    }
    const int64_t j = j0 + lane;
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const int64_t i = i0 + warp * rows + r;
      T logit = -infinity<T>();
      if (i < p.n && j < share.last && j < p.seen(i) && !p.masked(b, j)) {
        logit = logits[r];
        if (p.cosine) logit = logit * p.q_norms[p.query_row(b, h, i)] * p.key_norm(b, h, j);
        logit *= p.scale;
        if (p.bias.data != nullptr) logit += p.bias(share.bias_row + i, j);
      }
      const T before = most[r];
      most[r] = Max()(before, reduce_warp(logit, Max()));
      const bool none = most[r] == -infinity<T>();
      const T weight = none ? T(0) : exponential(logit - most[r]), keep = none ? T(1) : exponential(before - most[r]);
      sum[r] = sum[r] * keep + reduce_warp(weight, Sum());
#pragma unroll
      for (int u = 0; u < columns; ++u) result[r][u] *= keep;
      shared.weights[warp * rows + r][lane] = weight;
    }
    __syncwarp(); // a warp's weights are its own
    const int count = static_cast<int>(share.last - j0 < keys ? share.last - j0 : keys);
    for (int key = 0; key < count; ++key) {
      const T *const value = share.values.at(j0 + key);
#pragma unroll
      for (int u = 0; u < columns; ++u) {
        const int64_t c = share.e0 + lane + 32 * u;
        const T of_v = c < p.e ? value[c] : T(0);
#pragma unroll
        for (int r = 0; r < rows; ++r) {
          const T weight = shared.weights[warp * rows + r][key];
          // What is hidden may hold anything.
          result[r][u] = weight == T(0) ? result[r][u] : fused(weight, of_v, result[r][u]);
        }
      }
    }
    __syncwarp(); // before the next weights
  }
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    const int64_t i = i0 + warp * rows + r;
    if (i >= p.n) continue;
    const T inverse = sum[r] == T(0) ? T(0) : T(1) / sum[r];
    T *const y = share.result(p, i);
#pragma unroll
    for (int u = 0; u < columns; ++u) {
      const int64_t c = share.e0 + lane + 32 * u;
      if (c < p.e) y[c] = result[r][u] * inverse;
    }
    if (lane == 0) share.store_lse(p, i, sum[r] == T(0) ? -infinity<T>() : most[r] + logarithm(sum[r]));
  }
}

/// columns: of e a lane. The grid is Share's.
template <class T, int columns> __global__ void __launch_bounds__(threads) attention_kernel(Problem<T> p) {
  const Share<T> share(p, queries, 32 * columns);
  attend_plainly<T, columns, warps>(p, share, share.i0);
}

} // namespace f2i::cuda::attend::simt
