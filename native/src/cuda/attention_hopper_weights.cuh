// From products q k^T to weights, for attention_hopper.cuh: biases, norms, what a query does not see, and the online
// softmax, all in the registers in which wgmma leaves its sums.
//
// Of warp w of four, lane (g, t) has of query 16 w + g + 8 h (h is 0 or 1) the keys 8 v + 2 t + e of a tile, in
// sums[4 v + 2 h + e]. A logit times log2(e) is sum * factor of the key * factor of the query. So a bias is what a sum
// begins with, divided by both: it needs no registers of its own, nor an instruction behind the product.
#pragma once

#include "cuda/attention_half.cuh"
#include "cuda/hopper_attention.cuh"

namespace f2i::cuda::attend::wgmma {

constexpr int tile_keys = 128, group_queries = 64; // of a tile, of four warps
constexpr int tile_sums = tile_keys / 2;           // of a thread

/// What keys bring beside their rows, one of each a key of a tile; made by FactorsOfKeys.
struct KeyFactors {
  float of_logits[tile_keys]; // 1 / norm (rest_of), or 1; negative: nobody sees the key
  float of_bias[tile_keys];   // its inverse
};

#if F2I_HOPPER

/// A thread's two queries.
struct Queries {
  int row;         // of the first; the second is 8 below
  int seen[2];     // the keys before this one
  float factor[2]; // of logits, times log2(e)

  __device__ __forceinline__ Queries(const Problem<float> &p, const Share<float> &share, int64_t first)
      : row(static_cast<int>(first)) {
    constexpr float log2e = 1.4426950408889634f;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int64_t i = first + 8 * h, seen_of_all = p.seen(i);
      seen[h] = static_cast<int>(seen_of_all < share.last ? seen_of_all : share.last);
      factor[h] = p.scale * log2e * (p.cosine && i < p.n ? mma::rest_of(p.q_norms[p.query_row(share.b, share.h, i)]) : 1.0f);
    }
  }
};

/// The bias of a tile, as it lies. pairs: its rows begin at multiples of 8 bytes.
__device__ __forceinline__ void load_bias(float (&sums)[tile_sums], const Problem<float> &p, const Share<float> &share,
                                          const Queries &queries, int j0, bool pairs) {
  const int t = static_cast<int>(threadIdx.x) % 4, left = static_cast<int>(share.last) - j0;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int64_t i = queries.row + 8 * h, row = i < p.n ? i : p.n - 1; // rows behind the last are not stored
    const float *const from = &p.bias(share.bias_row + row, j0 + 2 * t);
    if (pairs && left >= tile_keys) {
#pragma unroll
      for (int v = 0; v < tile_keys / 8; ++v) {
        const float2 two = *reinterpret_cast<const float2 *>(from + 8 * v);
        sums[4 * v + 2 * h] = two.x;
        sums[4 * v + 2 * h + 1] = two.y;
      }
    } else {
#pragma unroll
      for (int v = 0; v < tile_keys / 8; ++v) {
#pragma unroll
        for (int e = 0; e < 2; ++e) sums[4 * v + 2 * h + e] = 8 * v + 2 * t + e < left ? from[8 * v + e] : 0.0f;
      }
    }
  }
}

/// Calls f(v, first of two) for a thread's keys.
template <class F> __device__ __forceinline__ void for_keys(const float (&of_tile)[tile_keys], const F &f) {
  const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int v = 0; v < tile_keys / 8; ++v) f(v, *reinterpret_cast<const float2 *>(&of_tile[8 * v + 2 * t]));
}

/// A bias becomes what the sums of a tile begin with.
__device__ __forceinline__ void begin_with_bias(float (&sums)[tile_sums], const Queries &queries, bool keyed,
                                                const KeyFactors &keys) {
  constexpr float log2e = 1.4426950408889634f;
  const float of_queries[2] = {log2e / queries.factor[0], log2e / queries.factor[1]};
#pragma unroll
  for (int e = 0; e < tile_sums; ++e) sums[e] *= of_queries[e % 4 / 2];
  if (!keyed) return;
  for_keys(keys.of_bias, [&](int v, float2 factor) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      sums[4 * v + 2 * h] *= factor.x;
      sums[4 * v + 2 * h + 1] *= factor.y;
    }
  });
}

__device__ __forceinline__ void apply_keys(float (&sums)[tile_sums], const KeyFactors &keys) {
  for_keys(keys.of_logits, [&](int v, float2 factor) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float &first = sums[4 * v + 2 * h], &second = sums[4 * v + 2 * h + 1];
      first = factor.x < 0 ? -infinity<float>() : first * factor.x;
      second = factor.y < 0 ? -infinity<float>() : second * factor.y;
    }
  });
}

/// Keys that a query does not see, at the end of the keys or by causality.
__device__ __forceinline__ void hide(float (&sums)[tile_sums], const Queries &queries, int j0) {
  const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int seen = queries.seen[h] - j0; // of the tile; may be more, or below 0
#pragma unroll
    for (int v = 0; v < tile_keys / 8; ++v) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        if (8 * v + 2 * t + e >= seen) sums[4 * v + 2 * h + e] = -infinity<float>();
      }
    }
  }
}

/// The online softmax of a thread's two queries.
struct Softmax {
  float most[2] = {-infinity<float>(), -infinity<float>()}; // of the sums
  float base[2] = {0, 0};                                   // most times the query's factor; 0 where nothing is seen yet
  float sum[2] = {0, 0};                                    // of this thread's weights alone

  /// Sums to weights 2^(factor sum - base); `keep`: what the results so far are multiplied by. The largest leaves out what
  /// is no number: its weight is none, either, and shows in the result.
  __device__ __forceinline__ void weigh(float (&sums)[tile_sums], const Queries &queries, float (&keep)[2]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float top = most[h];
#pragma unroll
      for (int v = 0; v < tile_keys / 8; ++v) top = fmaxf(fmaxf(top, sums[4 * v + 2 * h]), sums[4 * v + 2 * h + 1]);
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const float factor = queries.factor[h];
      base[h] = top == -infinity<float>() ? 0.0f : top * factor;
      keep[h] = hopper::power_of_two(fused(most[h], factor, -base[h])); // of -infinity 0
      most[h] = top;
      float of_tile = 0;
#pragma unroll
      for (int v = 0; v < tile_keys / 8; ++v) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float &entry = sums[4 * v + 2 * h + e];
          entry = hopper::power_of_two(fused(entry, factor, -base[h]));
          of_tile += entry;
        }
      }
      sum[h] = fused(sum[h], keep[h], of_tile);
    }
  }
  __device__ __forceinline__ float whole_sum(int h) const {
    float whole = sum[h];
    whole += __shfl_xor_sync(0xffffffffu, whole, 1);
    return whole + __shfl_xor_sync(0xffffffffu, whole, 2);
  }
};

/// Weights of a tile as the first operands of eight products of 16 keys.
template <class Half> __device__ __forceinline__ void narrow_weights(uint32_t (&weights)[tile_keys / 16][4], const float (&sums)[tile_sums]) {
#pragma unroll
  for (int u = 0; u < tile_keys / 16; ++u) {
#pragma unroll
    for (int r = 0; r < 4; ++r) { // rows g, g + 8 of the first 8 keys, then of the others
      const int from = 8 * u + 4 * (r / 2) + 2 * (r % 2);
      weights[u][r] = narrow_two<Half>(sums[from], sums[from + 1]);
    }
  }
}

#endif

} // namespace f2i::cuda::attend::wgmma
