// Attention on tensor cores: softmax(scale q k^T + bias) v by an online softmax
// (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"),
// queries split over the warps of a block so that a query's logits, weights and
// results stay in the registers of one warp (Dao 2023, "FlashAttention-2",
// section 3.3): the fragment of logits that one product leaves is the fragment
// of weights that the next one takes.
//
// A block's warps have 16 or 32 queries each and pass over tiles of keys. A tile
// comes as slices: its keys, `depth` dimensions at a time, and then its values.
// Slices pass through three slots of shared memory by cp.async: one is multiplied,
// one has arrived, one is on its way. Dimensions that no instruction's extent
// divides are filled up with zeros in shared memory.
//
// What is multiplied, and how, is a class of its own: attention_tf32.cuh and
// attention_half.cuh. A block whose result is not finite makes it again on the
// plain cores in f32: infinities have no small part, halves overflow, and what a
// query does not see may hold anything.
#pragma once

#include "cuda/attention_simt.cuh"
#include "cuda/mma.cuh"

namespace f2i::cuda::attend::mma {

constexpr int slots = 3;

/// Extents of a kernel: dimensions of a slice of keys, columns of y of a block, keys of a tile; sixteens of queries
/// of a warp, warps.
template <int depth_, int columns_, int keys_, int rows16_, int warps_> struct Extents {
  static constexpr int depth = depth_, columns = columns_, keys = keys_, rows16 = rows16_, warps = warps_;
  static constexpr int threads = warps * 32, queries = warps * rows16 * 16;
  static constexpr int tiles = keys / 8, parts = columns / 8;
};

/// Fragments of 16 x 8 (mma.cuh, c). Of logits, then weights: queries and keys; of results: queries and columns.
template <class X> using Logits = float[X::rows16][X::tiles][4];
template <class X> using Results = float[X::rows16][X::parts][4];

/// What a lane is of its warp: rows g and g + 8 of 16, columns by t.
struct Lane {
  int g, t;
  __device__ __forceinline__ Lane() : g(static_cast<int>(threadIdx.x) % 32 / 4), t(static_cast<int>(threadIdx.x) % 4) {}
};

template <class Products> struct Shared {
  alignas(16) typename Products::Slot slots[mma::slots];
  int failed; // a result is not finite
};

/// Columns of a slice that are multiplied: what is left of them, in steps of an instruction.
__device__ __forceinline__ int used_of(int64_t left, int width, int step) {
  return left >= width ? width : left <= 0 ? 0 : (static_cast<int>(left) + step - 1) / step * step;
}

/// Slices in their order: of a tile its keys, then its values.
template <class Products> struct Slices {
  using X = typename Products::Extents;
  const Problem<float> &p;
  const typename Products::Source &source;
  const Share<float> &share;
  int of_keys; // slices of keys a tile
  int64_t tile = 0;
  int part = 0, slot = 0; // of the next one
  __device__ __forceinline__ void load_next(Shared<Products> &shared) {
    const int64_t j0 = share.first + tile * X::keys;
    if (j0 < share.last) {
      auto &to = shared.slots[slot];
      const int64_t c0 = static_cast<int64_t>(part) * X::depth;
      if (part < of_keys) Products::load_keys(to, p, source, share, j0, c0, used_of(p.d - c0, X::depth, 16));
      else Products::load_values(to, p, source, share, j0, used_of(p.e - share.e0, X::columns, 16));
    }
    commit_copies();
    if (++part > of_keys) {
      part = 0;
      ++tile;
    }
    if (++slot == mma::slots) slot = 0;
  }
};

/// The rows of a lane: i + 16 r and 8 below.
template <class Products, class X = typename Products::Extents>
__device__ __forceinline__ void load_queries(typename Products::Queries (&q)[X::rows16], const Problem<float> &p,
                                             const Share<float> &share, int64_t i, int64_t c0, Lane lane) {
#pragma unroll
  for (int r = 0; r < X::rows16; ++r) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = i + 16 * r + 8 * half;
      const float *const from = row < p.n ? &p.q(p.query_row(share.b, share.h, row), 0) : nullptr;
      const float norm = p.cosine && row < p.n ? p.q_norms[p.query_row(share.b, share.h, row)] : 1.0f;
      Products::load_query(q[r], half, from, c0, p.d, Products::before(norm), lane);
    }
  }
}

/// The bias of a tile; loaded before the product, which hides the wait.
template <class X>
__device__ __forceinline__ void load_bias(Logits<X> &bias, const Problem<float> &p, const Share<float> &share, int64_t i,
                                          int64_t j0, Lane lane) {
#pragma unroll
  for (int r = 0; r < X::rows16; ++r) {
#pragma unroll
    for (int v = 0; v < X::tiles; ++v) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int64_t row = i + 16 * r + e / 2 * 8, j = j0 + 8 * v + 2 * lane.t + e % 2;
        bias[r][v][e] = row < p.n && j < share.last ? p.bias(share.bias_row + row, j) : 0.0f;
      }
    }
  }
}

/// Products q k^T to logits times log2(e): scaled, biased, -infinity where a query does not see a key.
template <class Products, class X = typename Products::Extents>
__device__ __forceinline__ void finish_logits(Logits<X> &logits, const Logits<X> &bias, const Problem<float> &p,
                                              const Share<float> &share, int64_t i, int64_t j0, Lane lane) {
  constexpr float log2e = 1.4426950408889634f;
  const bool biased = p.bias.data != nullptr;
  const float scale = p.scale * log2e;
  const bool all_seen = p.mask.data == nullptr && j0 + X::keys <= share.last && j0 + X::keys <= p.seen(share.i0);
  float norms[X::rows16][2] = {};
#pragma unroll
  for (int r = 0; r < X::rows16; ++r) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = i + 16 * r + 8 * half;
      if (p.cosine && row < p.n) norms[r][half] = Products::behind(p.q_norms[p.query_row(share.b, share.h, row)]);
    }
  }
#pragma unroll
  for (int v = 0; v < X::tiles; ++v) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      const int64_t j = j0 + 8 * v + 2 * lane.t + odd;
      const bool hidden = !all_seen && (j >= share.last || p.masked(share.b, j));
      const float norm = p.cosine && j < share.last ? Products::behind(p.key_norm(share.b, share.h, j)) : 1.0f;
#pragma unroll
      for (int r = 0; r < X::rows16; ++r) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float &logit = logits[r][v][2 * half + odd];
          if (p.cosine) logit = logit * norms[r][half] * norm;
          logit *= scale;
          if (biased) logit = fused(bias[r][v][2 * half + odd], log2e, logit);
          if (hidden || (!all_seen && j >= p.seen(i + 16 * r + 8 * half))) logit = -infinity<float>();
        }
      }
    }
  }
}

/// Of 16 queries, what a lane keeps of its two.
struct Softmax {
  float most[2] = {-infinity<float>(), -infinity<float>()}; // of the logits times log2(e)
  float sum[2] = {0, 0};                                    // of this lane's keys alone

  /// Logits of a tile to weights; `keep`: what the results so far are multiplied by.
  template <int tiles> __device__ __forceinline__ void weigh(float (&logits)[tiles][4], float (&keep)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float top = most[half];
#pragma unroll
      for (int v = 0; v < tiles; ++v) top = Max()(Max()(top, logits[v][2 * half]), logits[v][2 * half + 1]);
      top = Max()(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = Max()(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const bool none = top == -infinity<float>();
      keep[half] = none ? 1.0f : exp2f(most[half] - top);
      most[half] = top;
      float of_tile = 0;
#pragma unroll
      for (int v = 0; v < tiles; ++v) {
#pragma unroll
        for (int odd = 0; odd < 2; ++odd) {
          float &entry = logits[v][2 * half + odd];
          entry = none ? 0.0f : exp2f(entry - top);
          of_tile += entry;
        }
      }
      sum[half] = sum[half] * keep[half] + of_tile;
    }
  }
  __device__ __forceinline__ float whole_sum(int half) const {
    float whole = sum[half];
    whole += __shfl_xor_sync(0xffffffffu, whole, 1);
    return whole + __shfl_xor_sync(0xffffffffu, whole, 2);
  }
};

/// Results of 16 queries, row i and i + 8 the lane's; false where one is not finite.
template <int parts>
__device__ __forceinline__ bool store(const float (&result)[parts][4], const Softmax &state, const Problem<float> &p,
                                      const Share<float> &share, int64_t i, Lane lane) {
  constexpr float ln2 = 0.6931471805599453f;
  bool finite = true;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float sum = state.whole_sum(half), inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
    const int64_t row = i + 8 * half;
    if (row >= p.n) continue;
    float *const y = share.result(p, row);
#pragma unroll
    for (int v = 0; v < parts; ++v) {
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
    // A bias below -2e38, times log2(e), has become -infinity, which is less than that of others.
    finite = finite && (sum != 0.0f ? is_finite(lse) : p.bias.data == nullptr || p.seen(row) <= share.first);
    if (lane.t == 0) share.store_lse(p, row, lse);
  }
  return finite;
}

template <class Products>
__device__ __forceinline__ void attend(const Problem<float> &p, const typename Products::Source &source) {
  using X = typename Products::Extents;
  Shared<Products> &shared = shared_memory<Shared<Products>>();
  const Share<float> share(p, X::queries, X::columns);
  const Lane lane;
  const int64_t i = share.i0 + static_cast<int>(threadIdx.x) / 32 * X::rows16 * 16 + lane.g; // the lane's first
  const int slices = p.d <= X::depth ? 1 : static_cast<int>((p.d + X::depth - 1) / X::depth);
  const int used_columns = used_of(p.e - share.e0, X::columns, 16);

  typename Products::Queries q[X::rows16];
  load_queries<Products>(q, p, share, i, 0, lane);
  Results<X> result = {};
  Softmax states[X::rows16];
  Slices<Products> loads{p, source, share, slices};
  if (threadIdx.x == 0) shared.failed = 0; // seen by all behind the first barrier
  loads.load_next(shared);
  loads.load_next(shared);
  int slot = 0;
  // Slice by slice: its bytes have arrived for all, and all have done with the one before it, whose slot is filled next.
  const auto next_slice = [&]() -> const typename Products::Slot & {
    wait_for_copies<slots - 2>();
    __syncthreads();
    loads.load_next(shared);
    const auto &arrived = shared.slots[slot];
    slot = slot == slots - 1 ? 0 : slot + 1;
    return arrived;
  };
  for (int64_t j0 = share.first; j0 < share.last; j0 += X::keys) {
    Logits<X> bias, logits = {};
    if (p.bias.data != nullptr) load_bias<X>(bias, p, share, i, j0, lane);
    for (int s = 0; s < slices; ++s) {
      const auto &of_keys = next_slice();
      const int64_t c0 = static_cast<int64_t>(s) * X::depth;
      if (slices > 1) load_queries<Products>(q, p, share, i, c0, lane);
      Products::add_logits(logits, q, of_keys, used_of(p.d - c0, X::depth, 16), lane);
    }
    finish_logits<Products>(logits, bias, p, share, i, j0, lane);
#pragma unroll
    for (int r = 0; r < X::rows16; ++r) {
      float keep[2];
      states[r].weigh(logits[r], keep);
#pragma unroll
      for (int v = 0; v < X::parts; ++v) {
#pragma unroll
        for (int e = 0; e < 4; ++e) result[r][v][e] *= keep[e / 2];
      }
    }
    Products::add_values(result, logits, next_slice(), used_columns, lane);
  }
  wait_for_copies<0>();

  bool finite = true;
#pragma unroll
  for (int r = 0; r < X::rows16; ++r) {
    if (!store(result[r], states[r], p, share, i + 16 * r, lane)) finite = false;
  }
  __syncthreads(); // all have read the last slot; `failed` is 0
  if (!finite) shared.failed = 1;
  __syncthreads();
  const bool failed = shared.failed != 0;
  if (!failed) return;
  for (int first = 0; first < X::queries; first += simt::queries) {
    __syncthreads(); // all have read `failed`, and done with the queries before
    simt::attend_plainly<float, X::columns / 32, X::warps>(p, share, share.i0 + first);
  }
}

/// The grid is Share's, for blocks of X::queries queries and X::columns columns.
template <class Products, int blocks> // on a processor at once
__global__ void __launch_bounds__(Products::Extents::threads, blocks)
    attention_kernel(Problem<float> p, typename Products::Source source) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  attend<Products>(p, source);
#endif
}

} // namespace f2i::cuda::attend::mma
