// Products by fused multiply-adds of the plain cores. A block of 256 threads has
// a tile of y; each thread a block of it in registers. The next slice of the
// operands is on its way from memory to registers while the current one, in
// shared memory, is multiplied; two slices there, so one barrier a slice.
#include "cuda/gemm.cuh"

namespace f2i::cuda::simt {
namespace {

constexpr int threads = 256;
/// f32: tiles of 128 x 128 and 8 x 8 a thread; f64: 64 x 64 and 4 x 4 (registers are twice as wide).
template <class T> constexpr int per_thread = sizeof(T) == 4 ? 8 : 4;
template <class T> constexpr int side = 16 * per_thread<T>;
constexpr int depth = 16;

/// Terms along the slow axis, so that a thread's entries of one term lie together.
template <class T> struct Slices {
  T a[2][depth][side<T> + 4];
  T b[2][depth][side<T> + 4];
};

/// A thread's share of a slice of an operand, on its way. Neighbouring threads take what are neighbours in memory.
template <class T> struct Load {
  static constexpr int items = side<T> * depth / threads;
  T kept[items];
  bool along;

  __device__ __forceinline__ int row_of(int u) const {
    const int e = static_cast<int>(threadIdx.x) + u * threads;
    return along ? e / depth : e % side<T>;
  }
  __device__ __forceinline__ int term_of(int u) const {
    const int e = static_cast<int>(threadIdx.x) + u * threads;
    return along ? e % depth : e / side<T>;
  }
  __device__ __forceinline__ void begin(const Operand &x, int64_t row, int64_t rows, int64_t term, int64_t end) {
#pragma unroll
    for (int u = 0; u < items; ++u) {
      const int64_t i = row + row_of(u), p = term + term_of(u);
      kept[u] = i < rows && p < end ? x.at<T>(i, p) : T(0);
    }
  }
  __device__ __forceinline__ void end(T (&slice)[depth][side<T> + 4]) const {
#pragma unroll
    for (int u = 0; u < items; ++u) slice[term_of(u)][row_of(u)] = kept[u];
  }
};

template <class T> __device__ __attribute__((noinline)) void finish_one(const Finish<T> &finish, int64_t i, int64_t j, T sum) {
  finish.store(i, j, sum);
}

template <class T> __device__ __forceinline__ void multiply_tile(const Work<T> &work) {
  constexpr int each = per_thread<T>, half = each / 2;
  Slices<T> &shared = shared_memory<Slices<T>>();
  const Product<T> &product = work.product;
  const int64_t m = product.m, n = product.n;
  const TileAt tile = tile_at(product.lower, blockIdx.x, work.columns);
  const int64_t at = work.first + blockIdx.y, plane = at / product.groups, group = at % product.groups;
  const Operand a = product.a.of(plane, group), b = product.b.of(plane, group);
  const Finish<T> finish = product.finish.of(plane, group);
  const int64_t i0 = tile.row * side<T>, j0 = tile.column * side<T>;
  const int64_t first = static_cast<int64_t>(blockIdx.z) * work.range;
  const int64_t last = first + work.range < product.k ? first + work.range : product.k;
  // Two groups of neighbouring entries, half a tile apart: neighbouring threads read neighbouring banks.
  const int ti = static_cast<int>(threadIdx.x) / 16 * half, tj = static_cast<int>(threadIdx.x) % 16 * half;

  T sums[each][each] = {};
  Load<T> load_a, load_b;
  load_a.along = a.along();
  load_b.along = b.along();
  load_a.begin(a, i0, m, first, last);
  load_b.begin(b, j0, n, first, last);
  load_a.end(shared.a[0]);
  load_b.end(shared.b[0]);
  __syncthreads();
  int now = 0;
  for (int64_t p = first; p < last; p += depth) {
    const bool more = p + depth < last;
    if (more) {
      load_a.begin(a, i0, m, p + depth, last);
      load_b.begin(b, j0, n, p + depth, last);
    }
#pragma unroll 4
    for (int q = 0; q < depth; ++q) {
      T x[each], w[each];
#pragma unroll
      for (int u = 0; u < half; ++u) {
        x[u] = shared.a[now][q][ti + u];
        x[half + u] = shared.a[now][q][side<T> / 2 + ti + u];
        w[u] = shared.b[now][q][tj + u];
        w[half + u] = shared.b[now][q][side<T> / 2 + tj + u];
      }
#pragma unroll
      for (int u = 0; u < each; ++u) {
#pragma unroll
        for (int v = 0; v < each; ++v) sums[u][v] = fused(x[u], w[v], sums[u][v]);
      }
    }
    if (more) {
      load_a.end(shared.a[1 - now]);
      load_b.end(shared.b[1 - now]);
      __syncthreads();
      now = 1 - now;
    }
  }
  T *const parts = work.parts_of(at);
#pragma unroll
  for (int u = 0; u < each; ++u) {
    const int64_t i = i0 + (u < half ? ti + u : side<T> / 2 + ti + u - half);
#pragma unroll
    for (int v = 0; v < each; ++v) {
      const int64_t j = j0 + (v < half ? tj + v : side<T> / 2 + tj + v - half);
      if (i >= m || j >= n) continue;
      if (parts != nullptr) parts[i * n + j] = sums[u][v];
      else finish_one(finish, i, j, sums[u][v]);
    }
  }
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
template <class T> constexpr bool used_here = sizeof(T) == 8; // f32 has tensor cores: nothing to compile
#else
template <class T> constexpr bool used_here = true;
#endif

template <class T> __global__ void __launch_bounds__(threads) product_kernel(Work<T> work) {
  if constexpr (used_here<T>) multiply_tile(work);
}

} // namespace

template <class T> Tiling<T> tiling() { return {product_kernel<T>, side<T>, side<T>, sizeof(Slices<T>)}; }
template Tiling<float> tiling();
template Tiling<double> tiling();

} // namespace f2i::cuda::simt
