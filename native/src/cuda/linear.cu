// y = activation(x w^T + bias) + residual, w in shards of rows. With few rows of
// x, w is read once at the speed of memory; otherwise it is a product.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"
#include "cuda/reduce.cuh"

namespace f2i::cuda {
namespace {

constexpr int few = 8;                        // most rows of x that are taken at once
constexpr int warps = 8, columns_of_warp = 4; // a number of x serves four rows of w

template <class T> constexpr int entries_of_16_bytes = 16 / static_cast<int>(sizeof(T));

template <class T> __device__ __forceinline__ void load_chunk(const T *at, T (&entries)[entries_of_16_bytes<T>]) {
  const uint4 bits = *reinterpret_cast<const uint4 *>(at);
  if constexpr (sizeof(T) == 4) {
    entries[0] = float_of(bits.x), entries[1] = float_of(bits.y), entries[2] = float_of(bits.z), entries[3] = float_of(bits.w);
  } else {
    entries[0] = __longlong_as_double(static_cast<long long>(uint64_t{bits.y} << 32 | bits.x));
    entries[1] = __longlong_as_double(static_cast<long long>(uint64_t{bits.w} << 32 | bits.z));
  }
}

/// Weights as they lie: of one kernel f16 and bf16, which `type` tells apart.
template <class S> struct Weights {
  const S *data;
  int64_t ld;
  f2i_dtype type;
  static constexpr int chunk = entries_of_16_bytes<S>;

  __device__ __forceinline__ auto at(int64_t j, int64_t p) const {
    const S entry = data[j * ld + p];
    if constexpr (sizeof(S) == 2) return type == F2I_BF16 ? widen(Bf16{entry}) : widen(F16{entry});
    else return entry;
  }
  template <class T> __device__ __forceinline__ void chunk_at(int64_t j, int64_t p, T (&entries)[chunk]) const {
    if constexpr (sizeof(S) == 2) {
      const uint4 bits = *reinterpret_cast<const uint4 *>(data + j * ld + p);
      const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
      for (int e = 0; e < chunk; ++e) {
        const auto half = static_cast<uint16_t>(words[e / 2] >> (e % 2 * 16));
        entries[e] = type == F2I_BF16 ? widen(Bf16{half}) : widen(F16{half});
      }
    } else {
      load_chunk(data + j * ld + p, entries);
    }
  }
};

/// A warp has four rows of w; its lanes share the terms, 16 bytes of each row of w at a time up to term `whole`, one
/// by one from there. Rows and columns too many are read as the last ones, so that no branch parts the loads. Sums
/// are joined by a fixed tree.
template <class T, class S, int rows>
__global__ void __launch_bounds__(warps * 32)
    few_rows_kernel(Matrix<const T> x, int m, Weights<S> w, int64_t n, int64_t k, int64_t whole, Finish<T> finish) {
  constexpr int chunk = Weights<S>::chunk;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t j0 = (static_cast<int64_t>(blockIdx.x) * warps + warp) * columns_of_warp;
  const auto column = [&](int v) { return j0 + v < n ? j0 + v : n - 1; };
  T sums[columns_of_warp][rows] = {};
#pragma unroll 2
  for (int64_t p = lane * chunk; p < whole; p += 32 * chunk) {
    T of_w[columns_of_warp][chunk];
#pragma unroll
    for (int v = 0; v < columns_of_warp; ++v) w.chunk_at(column(v), p, of_w[v]);
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      const T *const of_x = &x(i < m ? i : m - 1, p);
#pragma unroll
      for (int e = 0; e < chunk; e += entries_of_16_bytes<T>) {
        T numbers[entries_of_16_bytes<T>];
        load_chunk(of_x + e, numbers);
#pragma unroll
        for (int f = 0; f < entries_of_16_bytes<T>; ++f) {
#pragma unroll
          for (int v = 0; v < columns_of_warp; ++v) sums[v][i] = fused(numbers[f], of_w[v][e + f], sums[v][i]);
        }
      }
    }
  }
#pragma unroll 2
  for (int64_t p = whole + lane; p < k; p += 32) {
    T of_w[columns_of_warp];
#pragma unroll
    for (int v = 0; v < columns_of_warp; ++v) of_w[v] = w.at(column(v), p);
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      const T of_x = x(i < m ? i : m - 1, p);
#pragma unroll
      for (int v = 0; v < columns_of_warp; ++v) sums[v][i] = fused(of_x, of_w[v], sums[v][i]);
    }
  }
  // Every lane has every sum; lane 4 i + v, for one, finishes that of row i and column v.
  T own = 0;
#pragma unroll
  for (int v = 0; v < columns_of_warp; ++v) {
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      const T sum = reduce_warp(sums[v][i], Sum());
      if (lane == columns_of_warp * i + v) own = sum;
    }
  }
  const int i = lane / columns_of_warp;
  const int64_t j = j0 + lane % columns_of_warp;
  if (i < rows && i < m && j < n) finish.store(i, j, own);
}

template <class T, class S> f2i_status few_rows(Exec &ex, Matrix<const T> x, int64_t m, const View &w, const Finish<T> &finish) {
  using Kernel = void (*)(Matrix<const T>, int, Weights<S>, int64_t, int64_t, int64_t, Finish<T>);
  const Kernel kernel = m == 1   ? few_rows_kernel<T, S, 1>
                        : m == 2 ? few_rows_kernel<T, S, 2>
                        : m == 3 ? few_rows_kernel<T, S, 3>
                        : m == 4 ? few_rows_kernel<T, S, 4>
                                 : few_rows_kernel<T, S, few>;
  const auto aligned = [](const void *data, int64_t ld, size_t size) {
    return (reinterpret_cast<uintptr_t>(data) | static_cast<uint64_t>(ld) * size) % 16 == 0;
  };
  constexpr int64_t chunk = Weights<S>::chunk;
  const int64_t whole = aligned(w.data, w.ld, sizeof(S)) && aligned(x.data, x.ld, sizeof(T)) ? w.cols / chunk * chunk : 0;
  const dim3 grid(static_cast<unsigned>(ceil_div(w.rows, warps * columns_of_warp)));
  return launch(ex, "linear, few rows", kernel, grid, dim3(warps * 32), 0, x, static_cast<int>(m),
                Weights<S>{w.as<const S>(), w.ld, w.dtype}, w.rows, w.cols, whole, finish);
}

template <class T, class S> f2i_status run(Exec &ex, const Linear &op) {
  int64_t first = 0;
  for (const View &w : op.weights) {
    Finish<T> finish;
    finish.activation = op.activation;
    finish.row_bias = op.bias ? op.bias.as<const T>() + first : nullptr;
    finish.residual = op.residual ? op.residual.as<const T>() + first : nullptr;
    finish.ldr = op.residual.ld;
    finish.y = op.y.as<T>() + first;
    finish.ldy = op.y.ld;
    first += w.rows;
    if (w.rows == 0) continue;
    if (op.x.rows <= few) {
      F2I_TRY((few_rows<T, S>(ex, input_of<T>(op.x), op.x.rows, w, finish)));
      continue;
    }
    Product<T> p{op.x.rows, w.rows, op.x.cols, operand(op.x, true), operand(w, true), finish};
    p.precision = ex.precision();
    F2I_TRY(product(ex, "linear", p));
  }
  return F2I_OK;
}

} // namespace

f2i_status linear(Exec &ex, const Linear &op) {
  if (op.y.dtype == F2I_F64) return run<double, double>(ex, op);
  return op.weights.front().dtype == F2I_F32 ? run<float, float>(ex, op) : run<float, uint16_t>(ex, op);
}

} // namespace f2i::cuda
