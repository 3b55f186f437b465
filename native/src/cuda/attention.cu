// softmax(scale q k^T + bias) v: norms of queries and keys where the op divides
// by them, then one kernel, on tensor cores (attention_mma.cuh, or on Hopper
// attention_hopper.cuh) or on the plain ones (attention_simt.cuh), and another that
// joins ranges of keys.
#include "cuda/attention_half.cuh"
#include "cuda/attention_hopper.hpp"
#include "cuda/attention_ranges.cuh"
#include "cuda/attention_tf32.cuh"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

using attend::Problem;

constexpr int norm_warps = 8;

/// Rows whose norms lie one after the other.
template <class T> struct Normed {
  Matrix<const T> x[3]; // queries, null keys, keys
  int64_t rows[3];
};

/// 1 / max(norm, 1e-12) of rows, a warp each.
template <class T> __global__ void __launch_bounds__(norm_warps * 32) norms_kernel(Normed<T> of, int64_t d, T *norms) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t at = static_cast<int64_t>(blockIdx.x) * norm_warps + threadIdx.x / 32;
  int64_t row = at;
  const T *x = nullptr;
#pragma unroll
  for (int u = 0; u < 3; ++u) {
    if (row >= 0 && row < of.rows[u]) x = &of.x[u](row, 0);
    row -= of.rows[u];
  }
  T squares = 0;
  if (x != nullptr) {
    for (int64_t c = lane; c < d; c += 32) squares = fused(x[c], x[c], squares);
  }
  const T norm = root(reduce_warp(squares, Sum()));
  if (x != nullptr && lane == 0) norms[at] = T(1) / (norm < T(1e-12) ? T(1e-12) : norm);
}

/// y and lse from those of ranges of keys, in their order. A thread has a column of a query.
template <class T> __global__ void __launch_bounds__(256) join_kernel(Problem<T> p, int64_t ranges) {
  const int64_t rows = p.batch * p.heads * p.n, all = rows * p.e;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; at < all; at += static_cast<int64_t>(gridDim.x) * 256) {
    const int64_t row = at / p.e, c = at - row * p.e;
    T most = -infinity<T>();
    for (int64_t r = 0; r < ranges; ++r) most = Max()(most, p.lses[r * rows + row]);
    T sum = 0, total = 0;
    for (int64_t r = 0; r < ranges; ++r) {
      const T lse = p.lses[r * rows + row], weight = lse == -infinity<T>() ? T(0) : exponential(lse - most);
      total += weight;
      // A range that no key is seen of may hold anything.
      if (weight != T(0)) sum = fused(weight, p.parts[r * all + at], sum);
    }
    const int64_t plane = row / p.n, i = row - plane * p.n;
    p.y(p.query_row(plane / p.heads, plane % p.heads, i), c) = total == T(0) ? T(0) : sum / total;
    if (c == 0 && p.lse != nullptr) p.lse[plane * p.ldl + i] = total == T(0) ? -infinity<T>() : most + logarithm(total);
  }
}

template <class T> f2i_status find_norms(Exec &ex, const Attention &op, Problem<T> &p) {
  const int64_t rows = op.q.rows + op.null_key.rows + op.k.rows, blocks = ceil_div(rows, norm_warps);
  T *const norms = ex.scratch_of<T>(rows);
  if (norms == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the norms of queries and keys");
  if (blocks > INT32_MAX) return ex.fail(F2I_UNSUPPORTED, "more blocks than a grid has");
  p.q_norms = norms;
  p.k_norms = norms + op.q.rows;
  if (rows == 0) return F2I_OK;
  const Normed<T> of{{p.q, p.null_key, p.k}, {op.q.rows, op.null_key.rows, op.k.rows}};
  return launch(ex, "attention, norms", norms_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(norm_warps * 32), 0, of, p.d, norms);
}

/// Rows that begin at multiples of 16 bytes, as the wide copies of attention_mma.cuh want them.
template <class T> bool aligned(Matrix<const T> x) {
  return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.ld * sizeof(T) % 16 == 0;
}

/// Wide values go in parts, each of which makes the weights again.
template <class T, int columns> f2i_status on_plain_cores(Exec &ex, const Problem<T> &p) {
  using namespace attend::simt;
  return in_ranges(ex, p, {queries, 32 * columns, 64}, [&](dim3 grid, const Problem<T> &problem) {
    return launch(ex, "attention", attention_kernel<T, columns>, grid, dim3(threads), sizeof(Shared<T>), problem);
  });
}

template <class Products, int blocks>
f2i_status on_tensor_cores(Exec &ex, const Problem<float> &p, const typename Products::Source &source) {
  using X = typename Products::Extents;
  const size_t shared = std::max(sizeof(attend::mma::Shared<Products>), sizeof(attend::simt::Shared<float>));
  return in_ranges(ex, p, {X::queries, X::columns, 64}, [&](dim3 grid, const Problem<float> &problem) {
    return launch(ex, "attention", attend::mma::attention_kernel<Products, blocks>, grid, dim3(X::threads), shared, problem, source);
  });
}

template <bool exact> f2i_status in_tf32(Exec &ex, const Problem<float> &p) {
  using namespace attend::mma;
  const bool wide = aligned(p.k) && aligned(p.v) && aligned(p.null_key) && aligned(p.null_value);
  if (p.d <= 64 && p.e <= 64) return on_tensor_cores<Tf32Products<Extents<64, 64, 32, 1, 4>, exact>, 3>(ex, p, {wide});
  return on_tensor_cores<Tf32Products<Extents<128, 128, 32, 1, 4>, exact>, 2>(ex, p, {wide});
}

template <class T> Problem<T> problem_of(const Attention &op) {
  const int64_t planes = op.batch * op.heads;
  const bool shared = op.shared || op.repeated;
  Problem<T> p{op.batch, op.heads, planes > 0 ? op.q.rows / planes : 0, 0, op.q.cols, op.v.cols,
               op.layout == F2I_HEADS_INSIDE, op.causal, shared, op.cosine, op.bias_batch, op.bias_heads,
               static_cast<int>(op.null_key.rows), static_cast<int>(op.null_value.rows), static_cast<T>(op.scale),
               input_of<T>(op.q), input_of<T>(op.k), input_of<T>(op.v), input_of<T>(op.null_key), input_of<T>(op.null_value),
               input_of<T>(op.bias), input_of<uint8_t>(op.mask), matrix_of<T>(op.y), op.lse.as<T>(), op.lse.ld, nullptr, nullptr,
               0, nullptr, nullptr};
  p.m = op.k.rows / (shared ? op.batch : planes);
  return p;
}

template <class Half> f2i_status halves_of(Exec &ex, const Problem<float> &p, f2i_dtype type, attend::Halves &halves) {
  using attend::mma::Pack;
  const bool own = !p.shared || p.null_rows > 1 || p.null_value_rows > 1;
  const int64_t heads = own ? p.heads : 1, planes = p.batch * heads, all = p.m + (p.null_rows > 0 ? 1 : 0);
  const int64_t ld_keys = ceil_div(p.d, 8) * 8, ld_values = ceil_div(p.e, 8) * 8;
  auto *const keys = ex.scratch_of<Half>(std::max<int64_t>(planes * all * ld_keys, 8));
  auto *const values = ex.scratch_of<Half>(std::max<int64_t>(planes * all * ld_values, 8));
  if (keys == nullptr || values == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for keys and values in half precision");
  const Pack<Half> pack{p,       planes * all, heads,
                        {p.k, p.null_key, p.null_rows, p.d, false, keys, ld_keys},
                        {p.v, p.null_value, p.null_value_rows, p.e, true, values, ld_values}};
  F2I_TRY(for_tiles(ex, "attention, packing", 2 * pack.rows, std::max(ld_keys, ld_values), pack));
  halves = {type, keys, values, ld_keys, ld_values, own};
  return F2I_OK;
}

template <class Half> f2i_status by_mma(Exec &ex, const Problem<float> &p, const attend::Halves &halves) {
  using namespace attend::mma;
  if (p.d <= 64 && p.e <= 64) return on_tensor_cores<HalfProducts<Extents<64, 64, 32, 2, 4>, Half>, 2>(ex, p, halves);
  return on_tensor_cores<HalfProducts<Extents<128, 128, 64, 1, 8>, Half>, 1>(ex, p, halves);
}

f2i_status by_best(Exec &ex, const Problem<float> &p, const attend::Halves &halves, void *) {
  f2i_status on_hopper = F2I_OK;
  if (hopper::attention(ex, p, halves, on_hopper)) return on_hopper;
  F2I_TRY(on_hopper);
  return attend::by_mma(ex, p, halves);
}

template <class T> f2i_status run(Exec &ex, const Attention &op) {
  if constexpr (std::is_same_v<T, float>) {
    const f2i_precision precision = ex.precision();
    if (device_of(ex).ampere() && (precision == F2I_PRECISION_BF16 || precision == F2I_PRECISION_F16)) {
      return attend::in_halves(ex, op, precision == F2I_PRECISION_BF16 ? F2I_BF16 : F2I_F16, by_best, nullptr);
    }
  }
  Problem<T> p = problem_of<T>(op);
  if (op.cosine) F2I_TRY(find_norms(ex, op, p));
  if constexpr (std::is_same_v<T, float>) {
    if (device_of(ex).ampere()) return ex.precision() == F2I_PRECISION_TF32 ? in_tf32<false>(ex, p) : in_tf32<true>(ex, p);
  }
  return p.e <= 64 ? on_plain_cores<T, 2>(ex, p) : p.e <= 128 ? on_plain_cores<T, 4>(ex, p) : on_plain_cores<T, 8>(ex, p);
}

} // namespace

namespace attend {

template <class T> f2i_status join_ranges(Exec &ex, const Problem<T> &p, int64_t ranges) {
  const int64_t blocks = std::min<int64_t>(ceil_div(p.batch * p.heads * p.n * p.e, 256), 65536);
  return launch(ex, "attention, ranges of keys", join_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(256), 0, p, ranges);
}
template f2i_status join_ranges(Exec &ex, const Problem<float> &p, int64_t ranges);
template f2i_status join_ranges(Exec &ex, const Problem<double> &p, int64_t ranges);

f2i_status by_mma(Exec &ex, const Problem<float> &p, const Halves &halves) {
  return halves.type == F2I_BF16 ? cuda::by_mma<Bf16>(ex, p, halves) : cuda::by_mma<F16>(ex, p, halves);
}

f2i_status in_halves(Exec &ex, const Attention &op, f2i_dtype half, Way *way, void *state) {
  Problem<float> p = problem_of<float>(op);
  if (op.cosine) F2I_TRY(find_norms(ex, op, p));
  Halves halves{};
  F2I_TRY(half == F2I_BF16 ? halves_of<Bf16>(ex, p, half, halves) : halves_of<F16>(ex, p, half, halves));
  return way(ex, p, halves, state);
}

} // namespace attend

f2i_status attention(Exec &ex, const Attention &op) {
  return with_float(op.y.dtype, [&](auto zero) { return run<decltype(zero)>(ex, op); });
}

} // namespace f2i::cuda
