// Products of attention in f16 or bf16 with sums in f32, for contexts whose
// precision allows it. Keys and values are rounded once, by a kernel before, to
// rows that begin at multiples of 16 bytes; fragments come by ldmatrix.
#pragma once

#include "cuda/attention_mma.cuh"

namespace f2i::cuda::attend::mma {

/// 1 / norm is a power of two, by which a row is multiplied before it is rounded, so that it fits the range of halves, and
/// a number from 1 to 2, by which its products are.
__device__ __forceinline__ float power_of(float inverse) { return float_of(bits_of(inverse) & 0x7f800000u); }
__device__ __forceinline__ float rest_of(float inverse) { return float_of((bits_of(inverse) & 0x007fffffu) | 0x3f800000u); }

/// x, or NaN where it is no finite number of halves: as an infinity it could make a logit -infinity, which is that of a key
/// nobody sees. So whoever sees it is made again in f32.
template <class Half> __device__ __forceinline__ float finite_or_nan(float x) {
  constexpr uint32_t least = std::is_same_v<Half, F16> ? 0x477ff000u : 0x7f7f8000u; // that rounds to infinity
  return (bits_of(x) & 0x7fffffffu) >= least ? not_a_number<float>() : x;
}

template <class X, class Half> struct HalfProducts {
  using Extents = X;
  static constexpr int instruction = 16;
  static constexpr int steps = X::depth / instruction;
  using Source = Halves;
  /// Rows of odd multiples of 16 bytes: the eight that ldmatrix reads at once lie in different banks.
  union Slot {
    Half keys[X::keys][X::depth + 8];
    Half values[X::keys][X::columns + 8];
  };
  using Queries = uint32_t[steps][4];

  /// As many whole pieces of 8 columns as there are, the rest of `used` zero, as rows from the share's last on.
  template <int width, int ld>
  __device__ __forceinline__ static void load(Half (&to)[X::keys][ld], const Share<float> &share, const Half *from, int64_t step,
                                              int64_t j0, int64_t c0, int used) {
    constexpr int across = width / 8, threads = X::threads;
    static_assert(X::keys * across % threads == 0);
#pragma unroll
    for (int u = 0; u < X::keys * across / threads; ++u) {
      const int e = static_cast<int>(threadIdx.x) + u * threads, row = e / across, c = e % across * 8;
      if (c >= used) continue;
      const bool inside = j0 + row < share.last && c0 + c < step;
      copy_async<16>(&to[row][c], inside ? from + (j0 + row) * step + c0 + c : from, inside ? 16 : 0);
    }
  }
  __device__ __forceinline__ static int64_t plane(const Problem<float> &p, const Source &source, const Share<float> &share) {
    return source.own ? share.b * p.heads + share.h : share.b;
  }
  __device__ __forceinline__ static void load_keys(Slot &slot, const Problem<float> &p, const Source &source,
                                                   const Share<float> &share, int64_t j0, int64_t c0, int used) {
    const Half *const from = static_cast<const Half *>(source.keys) + plane(p, source, share) * p.all() * source.ld_keys;
    load<X::depth>(slot.keys, share, from, source.ld_keys, j0, c0, used);
  }
  __device__ __forceinline__ static void load_values(Slot &slot, const Problem<float> &p, const Source &source,
                                                     const Share<float> &share, int64_t j0, int used) {
    const Half *const from = static_cast<const Half *>(source.values) + plane(p, source, share) * p.all() * source.ld_values;
    load<X::columns>(slot.values, share, from, source.ld_values, j0, share.e0, used);
  }

  __device__ __forceinline__ static float before(float norm) { return power_of(norm); }
  __device__ __forceinline__ static float behind(float norm) { return rest_of(norm); }
  /// Dimensions [c0, c0 + depth) of a query times `factor`, as row `half` of two in a fragment.
  __device__ __forceinline__ static void load_query(Queries &q, int half, const float *from, int64_t c0, int64_t d, float factor,
                                                    Lane lane) {
    const auto at = [&](int64_t c) { return from != nullptr && c < d ? finite_or_nan<Half>(from[c] * factor) : 0.0f; };
#pragma unroll
    for (int u = 0; u < steps; ++u) {
#pragma unroll
      for (int high = 0; high < 2; ++high) {
        const int64_t c = c0 + 16 * u + 8 * high + 2 * lane.t;
        q[u][2 * high + half] = narrow_two<Half>(at(c), at(c + 1));
      }
    }
  }

  /// logits += q k^T over a slice of `used` dimensions. Four matrices are 16 keys of 16 dimensions.
  __device__ __forceinline__ static void add_logits(Logits<X> &logits, const Queries (&q)[X::rows16], const Slot &slot,
                                                    int used, Lane) {
    const int lane = static_cast<int>(threadIdx.x) % 32, row = lane % 8 + lane / 16 * 8, column = lane / 8 % 2 * 8;
#pragma unroll
    for (int u = 0; u < steps; ++u) {
      if (16 * u >= used) continue;
#pragma unroll
      for (int v = 0; v < X::tiles; v += 2) {
        uint32_t k[4];
        load_matrices(k, &slot.keys[8 * v + row][16 * u + column]);
        const uint32_t first[2] = {k[0], k[1]}, second[2] = {k[2], k[3]};
#pragma unroll
        for (int r = 0; r < X::rows16; ++r) {
          multiply(logits[r][v], q[r][u], first, Half());
          multiply(logits[r][v + 1], q[r][u], second, Half());
        }
      }
    }
  }

  /// result += weights v over a tile of keys, `used` columns. Four matrices are 16 keys of 16 columns.
  __device__ __forceinline__ static void add_values(Results<X> &result, const Logits<X> &weights, const Slot &slot, int used, Lane) {
    const int lane = static_cast<int>(threadIdx.x) % 32, row = lane % 16, column = lane / 16 * 8;
#pragma unroll
    for (int u = 0; u < X::tiles; u += 2) {
      uint32_t a[X::rows16][4];
#pragma unroll
      for (int r = 0; r < X::rows16; ++r) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const auto &tile = weights[r][u + e / 2];
          a[r][e] = narrow_two<Half>(tile[e % 2 * 2], tile[e % 2 * 2 + 1]);
        }
      }
#pragma unroll
      for (int v = 0; v < X::parts; v += 2) {
        if (8 * v >= used) continue;
        uint32_t of_v[4];
        load_matrices_transposed(of_v, &slot.values[8 * u + row][8 * v + column]);
        const uint32_t first[2] = {of_v[0], of_v[1]}, second[2] = {of_v[2], of_v[3]};
#pragma unroll
        for (int r = 0; r < X::rows16; ++r) {
          multiply(result[r][v], a[r], first, Half());
          multiply(result[r][v + 1], a[r], second, Half());
        }
      }
    }
  }
};

/// Keys and values in half precision, each [plane, key, ld], the null key before the others, zeros behind `cols` and where
/// masked. Of keys that are divided by their norms, as much as is a power of two.
template <class Half> struct Pack {
  struct Side {
    Matrix<const float> x, null;
    int null_rows;
    int64_t cols;
    bool may_be_masked;
    Half *to;
    int64_t ld;
  };
  Problem<float> p;
  int64_t rows, heads; // of keys; planes of a batch entry
  Side keys, values;   // rows of values come behind those of keys

  __device__ float load(int64_t i, int64_t c) const {
    const Side &side = i < rows ? keys : values;
    const int64_t row = i < rows ? i : i - rows;
    const int64_t plane = row / p.all(), j = row - plane * p.all(), b = plane / heads, h = plane - b * heads;
    if (c >= side.cols || (side.may_be_masked && p.masked(b, j))) return 0;
    const float factor = p.cosine && i < rows ? power_of(p.key_norm(b, h, j)) : 1.0f;
    return rows_of(p, b, h, side.x, side.null, side.null_rows).at(j)[c] * factor;
  }
  __device__ void store(int64_t i, int64_t c, float value) const {
    const bool is_key = i < rows;
    const Side &side = is_key ? keys : values;
    if (c < side.ld) side.to[(is_key ? i : i - rows) * side.ld + c] = narrow(is_key ? finite_or_nan<Half>(value) : value, Half());
  }
};

} // namespace f2i::cuda::attend::mma
