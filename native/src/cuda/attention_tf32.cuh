// Products of attention in TF32, from slices of f32: each number as the sum of
// two of TF32, which keeps the accuracy of f32 (16 terms are summed on tensor
// cores, which cut sums off, and added to the rest by the plain ones), or rounded
// to one of TF32 where the context's precision allows it.
#pragma once

#include "cuda/attention_mma.cuh"

namespace f2i::cuda::attend::mma {

template <class X, bool exact> struct Tf32Products {
  using Extents = X;
  static constexpr int instruction = 8; // terms of one
  static constexpr int steps = X::depth / instruction;
  struct Source {
    bool aligned; // rows of keys and values begin at multiples of 16 bytes
  };
  /// The pads put what a warp reads at once into different banks: 8 g + 2 t (pairs, half a warp at a time) and
  /// 8 t + g, g < 8, t < 4, with rows of odd multiples of 8 and of 4 numbers.
  union Slot {
    float keys[X::keys][X::depth + 8];
    float values[X::keys][X::columns + 4];
  };
  using Queries = float[steps][4];

  /// Rows [j0, j0 + keys) of keys or values, columns [c0, c0 + used): by copies of 16 bytes, or of 4 where rows are
  /// not aligned. Columns from cols on, and rows from the share's last on or masked, are zero.
  template <int width, bool may_be_masked, int ld>
  __device__ __forceinline__ static void load(float (&to)[X::keys][ld], const Problem<float> &p, const Share<float> &share,
                                              const Rows<float> &rows, int64_t j0, int64_t c0, int64_t cols, int used,
                                              bool aligned) {
    constexpr int across = width / 4, threads = X::threads;
    static_assert(X::keys * across % threads == 0);
#pragma unroll
    for (int u = 0; u < X::keys * across / threads; ++u) {
      const int e = static_cast<int>(threadIdx.x) + u * threads, row = e / across, c = e % across * 4;
      if (c >= used) continue;
      const int64_t j = j0 + row, left = cols - c0 - c;
      const bool inside = j < share.last && left > 0 && !(may_be_masked && p.masked(share.b, j));
      const int count = !inside ? 0 : left < 4 ? static_cast<int>(left) : 4;
      const float *const from = inside ? rows.at(j) + c0 + c : p.q.data; // of which nothing is read
      if (aligned) {
        copy_async<16>(&to[row][c], from, count * 4);
      } else {
#pragma unroll
        for (int w = 0; w < 4; ++w) copy_async<4>(&to[row][c + w], w < count ? from + w : p.q.data, w < count ? 4 : 0);
      }
    }
  }
  __device__ __forceinline__ static void load_keys(Slot &slot, const Problem<float> &p, const Source &source,
                                                   const Share<float> &share, int64_t j0, int64_t c0, int used) {
    load<X::depth, false>(slot.keys, p, share, share.keys, j0, c0, p.d, used, source.aligned);
  }
  __device__ __forceinline__ static void load_values(Slot &slot, const Problem<float> &p, const Source &source,
                                                     const Share<float> &share, int64_t j0, int used) {
    load<X::columns, true>(slot.values, p, share, share.values, j0, share.e0, p.e, used, source.aligned);
  }

  /// Norms divide products alone: TF32 has the range of f32.
  __device__ __forceinline__ static float before(float) { return 1.0f; }
  __device__ __forceinline__ static float behind(float norm) { return norm; }

  /// Dimensions [c0, c0 + depth) of a query, as row `half` of two in a fragment. Columns t and t + 4 of a fragment are
  /// dimensions 2 t and 2 t + 1, of queries and keys alike: the sum is the same, and pairs lie side by side.
  __device__ __forceinline__ static void load_query(Queries &q, int half, const float *from, int64_t c0, int64_t d, float, Lane lane) {
#pragma unroll
    for (int u = 0; u < steps; ++u) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        const int64_t c = c0 + 8 * u + 2 * lane.t + odd;
        q[u][2 * odd + half] = from != nullptr && c < d ? from[c] : 0.0f;
      }
    }
  }

  /// A fragment of queries or weights.
  struct Left {
    uint32_t big[4], small[4];
    __device__ __forceinline__ explicit Left(const float (&x)[4]) {
      if constexpr (exact) split(x, big, small);
      else
        for (int u = 0; u < 4; ++u) big[u] = to_tf32(x[u]);
    }
  };
  __device__ __forceinline__ static void multiply_add(float (&sum)[4], const Left &a, const float (&b)[2]) {
    if constexpr (exact) {
      uint32_t b_big[2], b_small[2];
      split(b, b_big, b_small);
      multiply(sum, a.small, b_big);
      multiply(sum, a.big, b_small);
      multiply(sum, a.big, b_big);
    } else {
      const uint32_t rounded[2] = {to_tf32(b[0]), to_tf32(b[1])};
      multiply(sum, a.big, rounded);
    }
  }
  /// sum += the products of two steps, 16 terms, whose right sides b(w) gives.
  template <class B>
  __device__ __forceinline__ static void multiply_two(float (&sum)[4], const Left &first, const Left &second, B &&b) {
    float part[4] = {};
    float of_b[2];
    b(0, of_b);
    multiply_add(exact ? part : sum, first, of_b);
    b(1, of_b);
    multiply_add(exact ? part : sum, second, of_b);
    if constexpr (exact) {
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[e] += part[e];
    }
  }

  /// logits += q k^T over a slice of `used` dimensions.
  __device__ __forceinline__ static void add_logits(Logits<X> &logits, const Queries (&q)[X::rows16], const Slot &slot,
                                                    int used, Lane lane) {
#pragma unroll
    for (int u = 0; u < steps; u += 2) {
      if (8 * u >= used) continue;
#pragma unroll
      for (int r = 0; r < X::rows16; ++r) {
        const Left first(q[r][u]), second(q[r][u + 1]);
#pragma unroll
        for (int v = 0; v < X::tiles; ++v) {
          multiply_two(logits[r][v], first, second, [&](int w, float(&b)[2]) {
            const float2 pair = *reinterpret_cast<const float2 *>(&slot.keys[8 * v + lane.g][8 * (u + w) + 2 * lane.t]);
            b[0] = pair.x;
            b[1] = pair.y;
          });
        }
      }
    }
  }

  /// result += weights v over a tile of keys, `used` columns. As logits, columns 2 t and 2 t + 1 of the weights are
  /// a lane's own: they are t and t + 4 here, and rows of values follow.
  __device__ __forceinline__ static void add_values(Results<X> &result, const Logits<X> &weights, const Slot &slot, int used,
                                                    Lane lane) {
#pragma unroll
    for (int u = 0; u < X::tiles; u += 2) {
#pragma unroll
      for (int r = 0; r < X::rows16; ++r) {
        const auto &one = weights[r][u], &two = weights[r][u + 1];
        const float a[2][4] = {{one[0], one[2], one[1], one[3]}, {two[0], two[2], two[1], two[3]}};
        const Left first(a[0]), second(a[1]);
#pragma unroll
        for (int v = 0; v < X::parts; ++v) {
          if (8 * v >= used) continue;
          multiply_two(result[r][v], first, second, [&](int w, float(&b)[2]) {
            const int key = 8 * (u + w) + 2 * lane.t, column = 8 * v + lane.g;
            b[0] = slot.values[key][column];
            b[1] = slot.values[key + 1][column];
          });
        }
      }
    }
  }
};

} // namespace f2i::cuda::attend::mma
