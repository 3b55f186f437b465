// What the kernels of attention share: operands as they see them, and where a block writes.
#pragma once

#include "cuda/number.cuh"
#include "cuda/ops.hpp"

namespace f2i::cuda::attend {

/// The operands of one call. Key 0 is the null key where there is one.
template <class T> struct Problem {
  int64_t batch, heads, n, m, d, e; // m: keys without the null key
  bool inside, causal, shared, cosine, bias_batch, bias_heads;
  int null_rows, null_value_rows; // 0: no null key
  T scale;
  Matrix<const T> q, k, v, null_key, null_value, bias;
  Matrix<const uint8_t> mask; // data is null where nothing is hidden
  Matrix<T> y;
  T *lse;
  int64_t ldl;
  const T *q_norms, *k_norms; // 1 / norm of a row, where cosine
  // Where keys are split into ranges (attention_ranges.cuh), their blocks write here.
  int64_t range;    // keys of one; all of them where they are not split
  T *parts, *lses;  // [range, plane, query, e] and [range, plane, query]; null where keys are not split

  __device__ __forceinline__ int64_t all() const { return m + (null_rows > 0 ? 1 : 0); }
  __device__ __forceinline__ int64_t query_row(int64_t b, int64_t h, int64_t i) const {
    return inside ? (b * n + i) * heads + h : (b * heads + h) * n + i;
  }
  __device__ __forceinline__ int64_t key_row(int64_t b, int64_t h, int64_t j) const {
    return shared ? b * m + j : inside ? (b * m + j) * heads + h : (b * heads + h) * m + j;
  }
  /// Norms of keys lie behind those of the null keys.
  __device__ __forceinline__ T key_norm(int64_t b, int64_t h, int64_t j) const {
    if (null_rows > 0) {
      if (j == 0) return k_norms[null_rows > 1 ? h : 0];
      --j;
    }
    return k_norms[null_rows + key_row(b, h, j)];
  }
  __device__ __forceinline__ bool masked(int64_t b, int64_t j) const {
    if (mask.data == nullptr || (null_rows > 0 && j == 0)) return false;
    return mask(b, j - (null_rows > 0 ? 1 : 0)) == 0;
  }
  /// How many of the first keys query i sees; at most all().
  __device__ __forceinline__ int64_t seen(int64_t i) const {
    const int64_t last = i + 1 + all() - n;
    return !causal || last > all() ? all() : last < 0 ? 0 : last;
  }
};

/// The keys (or the values) of one head: rows that lie evenly in memory, behind the null key.
template <class T> struct Rows {
  const T *null, *first;
  int64_t step;
  __device__ __forceinline__ const T *at(int64_t j) const {
    if (null != nullptr) {
      if (j == 0) return null;
      --j;
    }
    return first + j * step;
  }
};
template <class T>
__device__ __forceinline__ Rows<T> rows_of(const Problem<T> &p, int64_t b, int64_t h, Matrix<const T> x, Matrix<const T> null,
                                           int null_rows) {
  return {null_rows > 0 ? &null(null_rows > 1 ? h : 0, 0) : nullptr, x.data + p.key_row(b, h, 0) * x.ld,
          (p.inside && !p.shared ? p.heads : 1) * x.ld};
}

/// Keys and values of heads in f16 or bf16, one head after the other, the null key before the others of each, masked values
/// zero.
struct Halves {
  f2i_dtype type;
  const void *keys, *values;
  int64_t ld_keys, ld_values; // multiples of 8; columns behind d and e are zero
  bool own;                   // heads have keys of their own; else a batch entry's share theirs
};

/// What a block does: queries [i0, i0 + ...) of a head, keys [first, last), columns of y from e0.
template <class T> struct Share {
  int64_t b, h, i0, first, last, e0;
  int64_t bias_row; // of query 0
  int64_t range;
  Rows<T> keys, values;

  /// gridDim.x: blocks of queries of all heads; y: ranges of keys; z: parts of e.
  __device__ __forceinline__ Share(const Problem<T> &p, int queries, int columns) {
    const int64_t blocks = (p.n + queries - 1) / queries, plane = blockIdx.x / blocks, at = blockIdx.x % blocks;
    b = plane / p.heads;
    h = plane % p.heads;
    i0 = (p.causal ? blocks - 1 - at : at) * queries; // the longest begin first
    e0 = static_cast<int64_t>(blockIdx.z) * columns;
    range = blockIdx.y;
    first = range * p.range;
    const int64_t end = p.seen((i0 + queries < p.n ? i0 + queries : p.n) - 1); // the last query sees the most
    last = first + p.range < end ? first + p.range : end;
    bias_row = ((p.bias_batch ? b : 0) * (p.bias_heads ? p.heads : 1) + (p.bias_heads ? h : 0)) * p.n;
    keys = rows_of(p, b, h, p.k, p.null_key, p.null_rows);
    values = rows_of(p, b, h, p.v, p.null_value, p.null_value_rows);
  }
  __device__ __forceinline__ int64_t part_row(const Problem<T> &p, int64_t i) const {
    return (range * p.batch + b) * p.heads * p.n + h * p.n + i;
  }
  __device__ __forceinline__ T *result(const Problem<T> &p, int64_t i) const {
    return p.parts != nullptr ? p.parts + part_row(p, i) * p.e : &p.y(p.query_row(b, h, i), 0);
  }
  /// value: log of the sum of exponentials of the logits of query i.
  __device__ __forceinline__ void store_lse(const Problem<T> &p, int64_t i, T value) const {
    if (e0 != 0) return; // every part of e finds the same
    if (p.parts != nullptr) p.lses[part_row(p, i)] = value;
    else if (p.lse != nullptr) p.lse[(b * p.heads + h) * p.ldl + i] = value;
  }
};

} // namespace f2i::cuda::attend
