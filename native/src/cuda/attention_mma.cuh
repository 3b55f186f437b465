// Attention on tensor cores: softmax(scale q k^T + bias) v by an online softmax
// (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"),
// queries split over the warps of a block so that a query's logits, weights and
// results stay in the registers of one warp (Dao 2023, "FlashAttention-2",
// section 3.3): the fragment of logits that one product leaves is the fragment
// of weights that the next one takes.
//
// A block has 4 warps of 16 queries each and passes over tiles of keys. A tile
// comes as slices: its keys, `depth` dimensions at a time, and then its values.
// Slices pass through three slots of shared memory by cp.async: one is multiplied,
// one has arrived, one is on its way. Dimensions that no instruction's extent
// divides are filled up with zeros in shared memory.
//
// Products are those of gemm.cuh: f32 as sums of two of TF32, 16 terms summed
// on tensor cores and added to the rest by the plain ones. A block whose result is
// not finite makes it again on the plain cores: infinities have no small part,
// and what a query does not see may hold anything.
#pragma once

#include "cuda/attention_simt.cuh"
#include "cuda/mma.cuh"

namespace f2i::cuda::attend::mma {

constexpr int warps = 4, threads = warps * 32, queries = warps * 16, slots = 3;

/// Extents of a kernel: dimensions of a slice of keys, columns of y of a block, keys of a tile.
template <int depth_, int columns_, int keys_> struct Extents {
  static constexpr int depth = depth_, columns = columns_, keys = keys_;
  static constexpr int steps = depth / 8, tiles = keys / 8, parts = columns / 8;
};

/// A slice. The pads put what a warp reads at once into different banks: 8 g + 2 t (pairs, half a
/// warp at a time) and 8 t + g, g < 8, t < 4, with rows of odd multiples of 8 and of 4 numbers.
template <class X> union Slot {
  float keys[X::keys][X::depth + 8];
  float values[X::keys][X::columns + 4];
};
template <class X> struct Shared {
  alignas(16) Slot<X> slots[mma::slots];
  int failed; // a result is not finite
};

/// Rows [j0, j0 + keys) of keys or values, columns [c0, c0 + used), to a slot: by copies of 16 bytes, or of 4
/// where rows are not aligned. Columns from cols on, and rows from `last` on or masked, are zero.
template <int keys, int width, bool aligned, bool may_be_masked, int ld>
__device__ __forceinline__ void load(float (&to)[keys][ld], const Problem<float> &p, int64_t b, const Rows<float> &rows,
                                     int64_t j0, int64_t last, int64_t c0, int64_t cols, int used) {
  constexpr int across = width / 4;
  static_assert(keys * across % threads == 0);
#pragma unroll
  for (int u = 0; u < keys * across / threads; ++u) {
    const int e = static_cast<int>(threadIdx.x) + u * threads, row = e / across, c = e % across * 4;
    if (c >= used) continue;
    const int64_t j = j0 + row, left = cols - c0 - c;
    const bool inside = j < last && left > 0 && !(may_be_masked && p.masked(b, j));
    const int count = !inside ? 0 : left < 4 ? static_cast<int>(left) : 4;
    const float *const from = inside ? rows.at(j) + c0 + c : p.q.data; // of which nothing is read
    if constexpr (aligned) {
      copy_async<16>(&to[row][c], from, count * 4);
    } else {
#pragma unroll
      for (int w = 0; w < 4; ++w) copy_async<4>(&to[row][c + w], w < count ? from + w : p.q.data, w < count ? 4 : 0);
    }
  }
}

/// Slices in their order: of a tile its keys, then its values.
template <class X, bool aligned> struct Slices {
  const Problem<float> &p;
  const Share<float> &share;
  int of_keys; // slices of keys a tile
  int64_t tile = 0;
  int part = 0, slot = 0; // of the next one
  __device__ __forceinline__ void load_next(Shared<X> &shared) {
    const int64_t j0 = share.first + tile * X::keys;
    if (j0 < share.last) {
      if (part < of_keys) {
        const int64_t c0 = static_cast<int64_t>(part) * X::depth;
        load<X::keys, X::depth, aligned, false>(shared.slots[slot].keys, p, share.b, share.keys, j0, share.last, c0, p.d,
                                                used(p.d - c0, X::depth, 16));
      } else {
        load<X::keys, X::columns, aligned, true>(shared.slots[slot].values, p, share.b, share.values, j0, share.last,
                                                 share.e0, p.e, used(p.e - share.e0, X::columns, 8));
      }
    }
    commit_copies();
    if (++part > of_keys) {
      part = 0;
      ++tile;
    }
    if (++slot == mma::slots) slot = 0;
  }
  /// Columns of a slice that are multiplied: what is left of them, in steps.
  __device__ __forceinline__ static int used(int64_t left, int width, int step) {
    return left >= width ? width : (static_cast<int>(left) + step - 1) / step * step;
  }
};

/// What a lane is of its warp: rows g and g + 8 of 16, columns by t.
struct Lane {
  int g, t;
  __device__ __forceinline__ Lane() : g(static_cast<int>(threadIdx.x) % 32 / 4), t(static_cast<int>(threadIdx.x) % 4) {}
};

/// Dimensions [c0, c0 + depth) of queries i and i + 8. Columns t and t + 4 of a fragment are dimensions 2 t and
/// 2 t + 1, of queries and keys alike: the sum is the same, and pairs lie side by side.
template <class X>
__device__ __forceinline__ void load_queries(float (&q)[X::steps][4], const Problem<float> &p, const Share<float> &share,
                                             int64_t i, int64_t c0, Lane lane) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t row = i + 8 * half;
    const float *const from = row < p.n ? &p.q(p.query_row(share.b, share.h, row), 0) : nullptr;
#pragma unroll
    for (int u = 0; u < X::steps; ++u) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        const int64_t c = c0 + 8 * u + 2 * lane.t + odd;
        q[u][2 * odd + half] = from != nullptr && c < p.d ? from[c] : 0.0f;
      }
    }
  }
}

/// part += a b, each the sum of a big and a small part.
__device__ __forceinline__ void multiply_split(float (&part)[4], const uint32_t (&a_big)[4], const uint32_t (&a_small)[4],
                                               const float (&b)[2]) {
  uint32_t b_big[2], b_small[2];
  split(b, b_big, b_small);
  multiply(part, a_small, b_big);
  multiply(part, a_big, b_small);
  multiply(part, a_big, b_big);
}

/// logits += q k^T over a slice of `used` dimensions.
template <class X>
__device__ __forceinline__ void add_logits(float (&logits)[X::tiles][4], const float (&q)[X::steps][4],
                                           const float (&k)[X::keys][X::depth + 8], int used, Lane lane) {
#pragma unroll
  for (int u = 0; u < X::steps; u += 2) {
    if (8 * u >= used) continue;
    uint32_t big[2][4], small[2][4];
    split(q[u], big[0], small[0]);
    split(q[u + 1], big[1], small[1]);
#pragma unroll
    for (int v = 0; v < X::tiles; ++v) {
      float part[4] = {};
#pragma unroll
      for (int w = 0; w < 2; ++w) {
        const float2 pair = *reinterpret_cast<const float2 *>(&k[8 * v + lane.g][8 * (u + w) + 2 * lane.t]);
        const float b[2] = {pair.x, pair.y};
        multiply_split(part, big[w], small[w], b);
      }
#pragma unroll
      for (int e = 0; e < 4; ++e) logits[v][e] += part[e];
    }
  }
}

/// result += weights v over a tile of keys, `used` columns. As logits, columns 2 t and 2 t + 1 of the weights are a
/// lane's own: they are t and t + 4 here, and rows of values follow.
template <class X>
__device__ __forceinline__ void add_values(float (&result)[X::parts][4], const float (&weights)[X::tiles][4],
                                           const float (&values)[X::keys][X::columns + 4], int used, Lane lane) {
#pragma unroll
  for (int u = 0; u < X::tiles; u += 2) {
    uint32_t big[2][4], small[2][4];
#pragma unroll
    for (int w = 0; w < 2; ++w) {
      const float a[4] = {weights[u + w][0], weights[u + w][2], weights[u + w][1], weights[u + w][3]};
      split(a, big[w], small[w]);
    }
#pragma unroll
    for (int v = 0; v < X::parts; ++v) {
      if (8 * v >= used) continue;
      float part[4] = {};
#pragma unroll
      for (int w = 0; w < 2; ++w) {
        const int key = 8 * (u + w) + 2 * lane.t, column = 8 * v + lane.g;
        const float b[2] = {values[key][column], values[key + 1][column]};
        multiply_split(part, big[w], small[w], b);
      }
#pragma unroll
      for (int e = 0; e < 4; ++e) result[v][e] += part[e];
    }
  }
}

/// The bias of a tile for queries i and i + 8, times log2(e); loaded before the product, which hides the wait.
template <class X>
__device__ __forceinline__ void load_bias(float (&bias)[X::tiles][4], const Problem<float> &p, const Share<float> &share,
                                          int64_t i, int64_t j0, Lane lane) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t row = i + 8 * half;
#pragma unroll
    for (int v = 0; v < X::tiles; ++v) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        const int64_t j = j0 + 8 * v + 2 * lane.t + odd;
        bias[v][2 * half + odd] = row < p.n && j < share.last ? p.bias(share.bias_row + row, j) : 0.0f;
      }
    }
  }
}

/// Of two queries, i and i + 8: what a lane keeps of them.
struct Softmax {
  float most[2] = {-infinity<float>(), -infinity<float>()}; // of the logits times log2(e)
  float sum[2] = {0, 0};                                    // of this lane's keys alone
};

/// Logits of a tile to weights; `keep`: what the sums so far are multiplied by.
template <class X>
__device__ __forceinline__ void weigh(float (&logits)[X::tiles][4], Softmax &state, float (&keep)[2]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float top = state.most[half];
#pragma unroll
    for (int v = 0; v < X::tiles; ++v) top = Max()(Max()(top, logits[v][2 * half]), logits[v][2 * half + 1]);
    top = Max()(top, __shfl_xor_sync(0xffffffffu, top, 1));
    top = Max()(top, __shfl_xor_sync(0xffffffffu, top, 2));
    const bool none = top == -infinity<float>();
    keep[half] = none ? 1.0f : exp2f(state.most[half] - top);
    state.most[half] = top;
    float sum = 0;
#pragma unroll
    for (int v = 0; v < X::tiles; ++v) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        float &entry = logits[v][2 * half + odd];
        entry = none ? 0.0f : exp2f(entry - top);
        sum += entry;
      }
    }
    state.sum[half] = state.sum[half] * keep[half] + sum;
  }
}

/// Products q k^T to logits times log2(e): scaled, biased, -infinity where a query does not see a key.
template <class X>
__device__ __forceinline__ void finish_logits(float (&logits)[X::tiles][4], const float (&bias)[X::tiles][4],
                                              const Problem<float> &p, const Share<float> &share, int64_t i, int64_t j0,
                                              Lane lane) {
  constexpr float log2e = 1.4426950408889634f;
  const bool biased = p.bias.data != nullptr;
  const float scale = p.scale * log2e;
  const bool all_seen = p.mask.data == nullptr && j0 + X::keys <= share.last && j0 + X::keys <= p.seen(share.i0);
  float norms[2] = {1, 1};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    if (p.cosine && i + 8 * half < p.n) norms[half] = p.q_norms[p.query_row(share.b, share.h, i + 8 * half)];
  }
#pragma unroll
  for (int v = 0; v < X::tiles; ++v) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      const int64_t j = j0 + 8 * v + 2 * lane.t + odd;
      const bool hidden = !all_seen && (j >= share.last || p.masked(share.b, j));
      const float norm = p.cosine && j < share.last ? p.key_norm(share.b, share.h, j) : 1.0f;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float &logit = logits[v][2 * half + odd];
        if (p.cosine) logit = logit * norms[half] * norm;
        logit *= scale;
        if (biased) logit = fused(bias[v][2 * half + odd], log2e, logit);
        if (hidden || (!all_seen && j >= p.seen(i + 8 * half))) logit = -infinity<float>();
      }
    }
  }
}

template <class X, bool aligned>
__device__ __forceinline__ void attend(const Problem<float> &p) {
  constexpr float ln2 = 0.6931471805599453f;
  Shared<X> &shared = shared_memory<Shared<X>>();
  const Share<float> share(p, queries, X::columns);
  const Lane lane;
  const int64_t i = share.i0 + static_cast<int>(threadIdx.x) / 32 * 16 + lane.g; // and i + 8
  const int slices = p.d <= X::depth ? 1 : static_cast<int>((p.d + X::depth - 1) / X::depth);
  const int used_columns = Slices<X, aligned>::used(p.e - share.e0, X::columns, 8);

  float q[X::steps][4], result[X::parts][4] = {};
  load_queries<X>(q, p, share, i, 0, lane);
  Softmax state;
  Slices<X, aligned> loads{p, share, slices};
  if (threadIdx.x == 0) shared.failed = 0; // seen by all behind the first barrier
  loads.load_next(shared);
  loads.load_next(shared);
  int slot = 0;
  // Slice by slice: its bytes have arrived for all, and all have done with the one before it, whose slot is filled next.
  const auto next_slice = [&]() -> Slot<X> & {
    wait_for_copies<slots - 2>();
    __syncthreads();
    loads.load_next(shared);
    Slot<X> &arrived = shared.slots[slot];
    slot = slot == slots - 1 ? 0 : slot + 1;
    return arrived;
  };
  for (int64_t j0 = share.first; j0 < share.last; j0 += X::keys) {
    float bias[X::tiles][4], logits[X::tiles][4] = {}, keep[2];
    if (p.bias.data != nullptr) load_bias<X>(bias, p, share, i, j0, lane);
    for (int s = 0; s < slices; ++s) {
      const Slot<X> &of_keys = next_slice();
      const int64_t c0 = static_cast<int64_t>(s) * X::depth;
      if (slices > 1) load_queries<X>(q, p, share, i, c0, lane);
      add_logits<X>(logits, q, of_keys.keys, Slices<X, aligned>::used(p.d - c0, X::depth, 16), lane);
    }
    finish_logits<X>(logits, bias, p, share, i, j0, lane);
    weigh<X>(logits, state, keep);
#pragma unroll
    for (int v = 0; v < X::parts; ++v) {
#pragma unroll
      for (int e = 0; e < 4; ++e) result[v][e] *= keep[e / 2];
    }
    add_values<X>(result, logits, next_slice().values, used_columns, lane);
  }
  wait_for_copies<0>();

  bool finite = true;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = state.sum[half];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    const int64_t row = i + 8 * half;
    if (row >= p.n) continue;
    const float inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
    float *const y = share.result(p, row);
#pragma unroll
    for (int v = 0; v < X::parts; ++v) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        const int64_t c = share.e0 + 8 * v + 2 * lane.t + odd;
        const float value = result[v][2 * half + odd] * inverse;
        if (c >= p.e) continue;
        y[c] = value;
        finite = finite && is_finite(value);
      }
    }
    const float lse = sum == 0.0f ? -infinity<float>() : fused(state.most[half], ln2, logarithm(sum));
    finite = finite && (sum == 0.0f || is_finite(lse));
    if (lane.t == 0) share.store_lse(p, row, lse);
  }
  __syncthreads(); // all have read the last slot; `failed` is 0
  if (!finite) shared.failed = 1;
  __syncthreads();
  const bool failed = shared.failed != 0;
  if (!failed) return;
  for (int first = 0; first < queries; first += simt::queries) {
    __syncthreads(); // all have read `failed`, and done with the queries before
    simt::attend_plainly<float, X::columns / 32, warps>(p, share, share.i0 + first);
  }
}

/// The grid is Share's, for blocks of 64 queries and X::columns columns.
template <class X, bool aligned> __global__ void __launch_bounds__(threads, X::depth <= 64 ? 3 : 2) attention_kernel(Problem<float> p) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  attend<X, aligned>(p);
#endif
}

} // namespace f2i::cuda::attend::mma
