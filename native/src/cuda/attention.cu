// softmax(scale q k^T + bias) v by an online softmax (Milakov and Gimelshein 2018,
// "Online normalizer calculation for softmax"): a block has 32 queries, passes
// over the keys 32 at a time, and keeps of each query its largest logit, the sum
// of exponentials relative to it, and the weighted sum of values. Plain cores;
// the path by tensor cores is README.md's next step.
#include "cuda/number.cuh"
#include "cuda/ops.hpp"
#include "cuda/reduce.cuh"

namespace f2i::cuda {
namespace {

constexpr int queries = 32, keys = 32, depth = 32; // of a block, of a pass, dimensions at once
constexpr int warps = 8, threads = warps * 32, rows = queries / warps; // queries of a warp

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

  __device__ __forceinline__ int64_t all() const { return m + (null_rows > 0 ? 1 : 0); }
  __device__ __forceinline__ int64_t query_row(int64_t b, int64_t h, int64_t i) const {
    return inside ? (b * n + i) * heads + h : (b * heads + h) * n + i;
  }
  __device__ __forceinline__ int64_t key_row(int64_t b, int64_t h, int64_t j) const {
    return shared ? b * m + j : inside ? (b * m + j) * heads + h : (b * heads + h) * m + j;
  }
  /// Key j of all, and its value.
  __device__ __forceinline__ const T *key(int64_t b, int64_t h, int64_t j) const {
    if (null_rows > 0) {
      if (j == 0) return &null_key(null_rows > 1 ? h : 0, 0);
      --j;
    }
    return &k(key_row(b, h, j), 0);
  }
  __device__ __forceinline__ const T *value(int64_t b, int64_t h, int64_t j) const {
    if (null_rows > 0) {
      if (j == 0) return &null_value(null_value_rows > 1 ? h : 0, 0);
      --j;
    }
    return &v(key_row(b, h, j), 0);
  }
  /// Norms of keys lie behind those of the null keys.
  __device__ __forceinline__ T key_norm(int64_t b, int64_t h, int64_t j) const {
    if (null_rows > 0) {
      if (j == 0) return k_norms[null_rows > 1 ? h : 0];
      --j;
    }
    return k_norms[null_rows + key_row(b, h, j)];
  }
  __device__ __forceinline__ bool hidden(int64_t b, int64_t i, int64_t j) const {
    if (causal && j >= i + 1 + all() - n) return true;
    if (mask.data == nullptr || (null_rows > 0 && j == 0)) return false;
    return mask(b, j - (null_rows > 0 ? 1 : 0)) == 0;
  }
};

template <class T> struct Shared {
  T q[queries][depth + 1], k[keys][depth + 1];
  T weights[queries][keys + 1];
};

/// gridDim: blocks of queries, planes (batch x heads), parts of e. columns: of e a lane, at most.
template <class T, int columns> __global__ void __launch_bounds__(threads) attention_kernel(Problem<T> p) {
  Shared<T> &shared = shared_memory<Shared<T>>();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t i0 = static_cast<int64_t>(blockIdx.x) * queries, b = blockIdx.y / p.heads, h = blockIdx.y % p.heads;
  const int64_t e0 = static_cast<int64_t>(blockIdx.z) * 32 * columns;
  const int64_t plane = (p.bias_batch ? b : 0) * (p.bias_heads ? p.heads : 1) + (p.bias_heads ? h : 0);
  int64_t all = p.all();
  if (p.causal) { // the last query sees the most
    const int64_t last = i0 + queries < p.n ? i0 + queries : p.n, seen = last + all - p.n;
    all = seen < 0 ? 0 : seen < all ? seen : all;
  }

  T most[rows], sum[rows], result[rows][columns];
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    most[r] = -infinity<T>();
    sum[r] = 0;
#pragma unroll
    for (int u = 0; u < columns; ++u) result[r][u] = 0;
  }
  for (int64_t j0 = 0; j0 < all; j0 += keys) {
    T logits[rows] = {};
    for (int64_t d0 = 0; d0 < p.d; d0 += depth) {
      __syncthreads(); // all have done with the last dimensions
      for (int r = warp; r < queries; r += warps) {
        const int64_t i = i0 + r, j = j0 + r, c = d0 + lane;
        shared.q[r][lane] = i < p.n && c < p.d ? p.q(p.query_row(b, h, i), c) : T(0);
        shared.k[r][lane] = j < all && c < p.d ? p.key(b, h, j)[c] : T(0);
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
      if (i < p.n && j < all && !p.hidden(b, i, j)) {
        logit = logits[r];
        if (p.cosine) logit = logit * p.q_norms[p.query_row(b, h, i)] * p.key_norm(b, h, j);
        logit *= p.scale;
        if (p.bias.data != nullptr) logit += p.bias(plane * p.n + i, j);
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
    const int count = static_cast<int>(all - j0 < keys ? all - j0 : keys);
    for (int key = 0; key < count; ++key) {
      const T *const value = p.value(b, h, j0 + key);
#pragma unroll
      for (int u = 0; u < columns; ++u) {
        const int64_t c = e0 + lane + 32 * u;
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
#pragma unroll
    for (int u = 0; u < columns; ++u) {
      const int64_t c = e0 + lane + 32 * u;
      if (c < p.e) p.y(p.query_row(b, h, i), c) = result[r][u] * inverse;
    }
    if (p.lse != nullptr && lane == 0 && blockIdx.z == 0) {
      p.lse[(b * p.heads + h) * p.ldl + i] = sum[r] == T(0) ? -infinity<T>() : most[r] + logarithm(sum[r]);
    }
  }
}

/// 1 / max(norm, 1e-12) of rows, a warp each.
template <class T> __global__ void __launch_bounds__(threads) norms_kernel(Matrix<const T> x, int64_t count, int64_t d, T *norms) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * warps + threadIdx.x / 32;
  T squares = 0;
  if (i < count) {
    for (int64_t c = lane; c < d; c += 32) squares = fused(x(i, c), x(i, c), squares);
  }
  const T norm = root(reduce_warp(squares, Sum()));
  if (i < count && lane == 0) norms[i] = T(1) / (norm < T(1e-12) ? T(1e-12) : norm);
}

template <class T> f2i_status run(Exec &ex, const Attention &op) {
  const int64_t planes = op.batch * op.heads;
  const bool shared = op.shared || op.repeated;
  Problem<T> p{op.batch, op.heads, planes > 0 ? op.q.rows / planes : 0, 0, op.q.cols, op.v.cols,
               op.layout == F2I_HEADS_INSIDE, op.causal, shared, op.cosine, op.bias_batch, op.bias_heads,
               static_cast<int>(op.null_key.rows), static_cast<int>(op.null_value.rows), static_cast<T>(op.scale),
               input_of<T>(op.q), input_of<T>(op.k), input_of<T>(op.v), input_of<T>(op.null_key), input_of<T>(op.null_value),
               input_of<T>(op.bias), input_of<uint8_t>(op.mask), matrix_of<T>(op.y), op.lse.as<T>(), op.lse.ld, nullptr, nullptr};
  p.m = op.k.rows / (shared ? op.batch : planes);
  if (op.cosine) {
    T *const norms = ex.scratch_of<T>(op.q.rows + op.null_key.rows + op.k.rows);
    if (norms == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the norms of queries and keys");
    T *const of_null = norms + op.q.rows, *const of_keys = of_null + op.null_key.rows;
    for (const auto &[x, to] : {std::pair{&op.q, norms}, std::pair{&op.null_key, of_null}, std::pair{&op.k, of_keys}}) {
      if (x->rows == 0) continue;
      F2I_TRY(F2I_LAUNCH(ex, (norms_kernel<T>), dim3(static_cast<unsigned>(ceil_div(x->rows, warps))), dim3(threads), 0,
                         input_of<T>(*x), x->rows, x->cols, to));
    }
    p.q_norms = norms;
    p.k_norms = of_null;
  }
  if (planes > 65535) return ex.fail(F2I_UNSUPPORTED, "more than 65535 heads of all batch entries");
  // Wide values in parts: each makes the weights again.
  const int columns = p.e <= 64 ? 2 : p.e <= 128 ? 4 : 8;
  const dim3 grid(static_cast<unsigned>(ceil_div(p.n, queries)), static_cast<unsigned>(planes),
                  static_cast<unsigned>(ceil_div(p.e, 32 * columns)));
  const auto kernel = columns == 2 ? attention_kernel<T, 2> : columns == 4 ? attention_kernel<T, 4> : attention_kernel<T, 8>;
  return launch(ex, "attention", kernel, grid, dim3(threads), sizeof(Shared<T>), p);
}

} // namespace

f2i_status attention(Exec &ex, const Attention &op) {
  return with_float(op.y.dtype, [&](auto zero) { return run<decltype(zero)>(ex, op); });
}

} // namespace f2i::cuda
