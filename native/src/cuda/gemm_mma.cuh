// Products of f32 on tensor cores. A number is the sum of two of TF32, big and
// small, to 22 bits; a product is big big + big small + small big (what is left
// out is below 2^-22 of it): three instructions instead of one, and the error of
// f32 (Ootomo and Yokota 2022, "Recovering single precision accuracy from Tensor
// Cores"). Where one is stored in f16 or bf16, it is a TF32 by itself, and two do.
//
// A block of 8 warps has a tile of 128 x 128, a warp 64 x 32 of it. Slices of 16
// terms pass through three stages of shared memory: one is multiplied, one has
// arrived, one is on its way, by cp.async where an operand's rows are aligned
// to 16 bytes and through registers otherwise.
#pragma once

#include "cuda/gemm.cuh"
#include "cuda/mma.cuh"

namespace f2i::cuda::mma {

constexpr int threads = 256, side = 128, depth = 16, stages = 3;
constexpr int warp_rows = 64, warp_columns = 32;
constexpr int rows16 = warp_rows / 16, columns8 = warp_columns / 8;

/// A slice as the operand lies in memory. The pads put what a warp reads at once into different banks:
/// 20 g + t and 8 t + g, g < 8, t < 4, are 32 numbers modulo 32.
template <bool along> struct Slice {
  float at[along ? side : depth][along ? depth + 4 : side + 8];
  __device__ __forceinline__ float get(int row, int term) const { return along ? at[row][term] : at[term][row]; }
};
template <bool a_along, bool b_along> struct Stages {
  Slice<a_along> a[stages];
  Slice<b_along> b[stages];
};

/// Through registers: any type, any alignment, anything that has at().
template <class O, bool async> struct Load {
  static constexpr int items = side * depth / threads;
  float kept[items];
  __device__ __forceinline__ static int row_of(int u) {
    const int e = static_cast<int>(threadIdx.x) + u * threads;
    return O::along ? e / depth : e % side;
  }
  __device__ __forceinline__ static int term_of(int u) {
    const int e = static_cast<int>(threadIdx.x) + u * threads;
    return O::along ? e % depth : e / side;
  }
  __device__ __forceinline__ void begin(const O &x, int64_t plane, int64_t row, int64_t rows, int64_t term, int64_t end,
                                        Slice<O::along> &) {
#pragma unroll
    for (int u = 0; u < items; ++u) {
      const int64_t i = row + row_of(u), p = term + term_of(u);
      kept[u] = i < rows && p < end ? x.at(plane, i, p) : 0.0f;
    }
  }
  __device__ __forceinline__ void end(Slice<O::along> &slice) const {
#pragma unroll
    for (int u = 0; u < items; ++u) {
      if constexpr (O::along) slice.at[row_of(u)][term_of(u)] = kept[u];
      else slice.at[term_of(u)][row_of(u)] = kept[u];
    }
  }
};
/// By cp.async, four entries at a time. What lies outside of the operand is zero.
template <class O> struct Load<O, true> {
  __device__ __forceinline__ void begin(const O &x, int64_t plane, int64_t row, int64_t rows, int64_t term, int64_t end,
                                        Slice<O::along> &slice) {
    constexpr int wide = (O::along ? depth : side) / 4; // copies along the fast axis
#pragma unroll
    for (int u = 0; u < side * depth / 4 / threads; ++u) {
      const int e = static_cast<int>(threadIdx.x) + u * threads, slow = e / wide, fast = e % wide * 4;
      const int64_t at_slow = (O::along ? row : term) + slow, at_fast = (O::along ? term : row) + fast;
      const int64_t left = (O::along ? end : rows) - at_fast;
      const bool inside = at_slow < (O::along ? rows : end) && left > 0;
      const float *const from = inside ? x.data + plane * x.by_plane + at_slow * x.step + at_fast : x.data;
      copy_async<16>(&slice.at[slow][fast], from, inside ? static_cast<int>(left < 4 ? left : 4) * 4 : 0);
    }
  }
  __device__ __forceinline__ void end(Slice<O::along> &) const {}
};

/// A fragment's numbers as sums of two of TF32. One that rounds to infinity is cut off instead.
template <int n> __device__ __forceinline__ void split(const float (&x)[n], uint32_t (&big)[n], uint32_t (&small)[n]) {
#pragma unroll
  for (int u = 0; u < n; ++u) {
    big[u] = to_tf32(x[u]);
    if ((big[u] & 0x7f800000u) == 0x7f800000u) big[u] = bits_of(x[u]) & 0xffffe000u;
    small[u] = to_tf32(x[u] - float_of(big[u]));
  }
}

/// Infinities times small parts of zero are no numbers, and sums may overflow in parts where the whole does
/// not: such an entry is made again by the arithmetic of f32. Rare, and slow.
template <class A, class B>
__device__ __attribute__((noinline)) float plain_sum(const A &a, const B &b, int64_t plane, int64_t i, int64_t j, int64_t first,
                                        int64_t last) {
  float sum = 0;
  for (int64_t p = first; p < last; ++p) sum = fused(a.at(plane, i, p), b.at(plane, j, p), sum);
  return sum;
}

template <class A, class B, bool async_a, bool async_b>
__device__ __forceinline__ void multiply_tile(const Product<float, A, B> &product, int64_t columns, int64_t range,
                                              float *parts) {
  constexpr bool exact_a = sizeof(typename A::Stored) == 2, exact_b = sizeof(typename B::Stored) == 2;
  using Shared = Stages<A::along, B::along>;
  Shared &shared = shared_memory<Shared>();
  const int64_t m = product.m, n = product.n;
  const TileAt tile = tile_at(product.lower, blockIdx.x, columns);
  const int64_t plane = blockIdx.y, i0 = tile.row * side, j0 = tile.column * side;
  const int64_t first = static_cast<int64_t>(blockIdx.z) * range;
  const int64_t last = first + range < product.k ? first + range : product.k;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int g = lane / 4, t = lane % 4;
  const int wi = warp / 4 * warp_rows, wj = warp % 4 * warp_columns;
  // At the edges of y a warp has nothing to do, or few rows: the same for all of its lanes.
  const int64_t rows_left = j0 + wj < n ? m - i0 - wi : 0;
  const int used = rows_left <= 0 ? 0 : rows_left >= warp_rows ? rows16 : (static_cast<int>(rows_left) + 15) / 16;

  float sums[rows16][columns8][4] = {};
  Load<A, async_a> load_a;
  Load<B, async_b> load_b;
  const int64_t slices = (last - first + depth - 1) / depth;
  for (int s = 0; s < stages - 1; ++s) {
    load_a.begin(product.a, plane, i0, m, first + s * depth, last, shared.a[s]);
    load_b.begin(product.b, plane, j0, n, first + s * depth, last, shared.b[s]);
    load_a.end(shared.a[s]);
    load_b.end(shared.b[s]);
    commit_copies();
  }
  int now = 0;
  for (int64_t s = 0; s < slices; ++s) {
    wait_for_copies<stages - 2>();
    __syncthreads(); // slice s has arrived for all; all have done with slice s - 1, whose stage is the next one's
    const int next = now == 0 ? stages - 1 : now - 1;
    const int64_t term = first + (s + stages - 1) * depth;
    load_a.begin(product.a, plane, i0, m, term, last, shared.a[next]);
    load_b.begin(product.b, plane, j0, n, term, last, shared.b[next]);
    commit_copies();
    uint32_t b_big[2][columns8][2], b_small[2][columns8][2];
#pragma unroll
    for (int q = 0; q < 2; ++q) {
#pragma unroll
      for (int v = 0; v < columns8; ++v) {
        const int row = wj + 8 * v + g;
        const float b[2] = {shared.b[now].get(row, 8 * q + t), shared.b[now].get(row, 8 * q + t + 4)};
        split(b, b_big[q][v], b_small[q][v]);
      }
    }
#pragma unroll
    for (int u = 0; u < rows16; ++u) {
      if (u >= used) continue;
      // Tensor cores cut sums off. A slice is summed from zero there and added by the plain cores, which
      // round, so that the bias of long sums stays that of 16 terms.
      float part[columns8][4] = {};
#pragma unroll
      for (int q = 0; q < 2; ++q) {
        const int row = wi + 16 * u + g;
        const float a[4] = {shared.a[now].get(row, 8 * q + t), shared.a[now].get(row + 8, 8 * q + t),
                            shared.a[now].get(row, 8 * q + t + 4), shared.a[now].get(row + 8, 8 * q + t + 4)};
        uint32_t a_big[4], a_small[4];
        split(a, a_big, a_small);
#pragma unroll
        for (int v = 0; v < columns8; ++v) {
          if constexpr (!exact_a) multiply(part[v], a_small, b_big[q][v]);
          if constexpr (!exact_b) multiply(part[v], a_big, b_small[q][v]);
          multiply(part[v], a_big, b_big[q][v]);
        }
      }
#pragma unroll
      for (int v = 0; v < columns8; ++v) {
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[u][v][e] += part[v][e];
      }
    }
    load_a.end(shared.a[next]);
    load_b.end(shared.b[next]);
    now = now == stages - 1 ? 0 : now + 1;
  }
  wait_for_copies<0>();
#pragma unroll
  for (int u = 0; u < rows16; ++u) {
#pragma unroll
    for (int v = 0; v < columns8; ++v) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int64_t i = i0 + wi + 16 * u + g + (e >= 2 ? 8 : 0), j = j0 + wj + 8 * v + 2 * t + (e & 1);
        if (i >= m || j >= n) continue;
        if (!is_finite(sums[u][v][e])) sums[u][v][e] = plain_sum(product.a, product.b, plane, i, j, first, last);
        if (parts != nullptr) parts[(static_cast<int64_t>(blockIdx.z) * m + i) * n + j] = sums[u][v][e];
        else product.finish.store(i, j, plane, sums[u][v][e]);
      }
    }
  }
}

/// gridDim: tiles, planes, ranges of terms. parts: where sums of ranges go, or null.
template <class A, class B, bool async_a, bool async_b>
__global__ void __launch_bounds__(threads)
    product_kernel(Product<float, A, B> product, int64_t columns, int64_t range, float *parts) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  multiply_tile<A, B, async_a, async_b>(product, columns, range, parts);
#endif
}

/// Can rows be copied 16 bytes at a time?
template <class S, bool along> bool aligned(const Operand<S, along> &x) {
  return std::is_same_v<S, float> && reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.step % 4 == 0 && x.by_plane % 4 == 0;
}
template <class O> bool aligned(const O &) { return false; }
template <class O> constexpr bool may_be_async = false;
template <bool along> constexpr bool may_be_async<Operand<float, along>> = true;

template <class A, class B> auto kernel_of(const Product<float, A, B> &p) {
  using Kernel = void (*)(Product<float, A, B>, int64_t, int64_t, float *);
  Kernel kernel = product_kernel<A, B, false, false>;
  // Both or neither: half the kernels, and an operand askew is rare.
  if constexpr (may_be_async<A> && may_be_async<B>) {
    if (aligned(p.a) && aligned(p.b)) kernel = product_kernel<A, B, true, true>;
  } else if constexpr (may_be_async<A>) {
    if (aligned(p.a)) kernel = product_kernel<A, B, true, false>;
  } else if constexpr (may_be_async<B>) {
    if (aligned(p.b)) kernel = product_kernel<A, B, false, true>;
  }
  return kernel;
}

} // namespace f2i::cuda::mma
