// What the kernels of products share: their launch, tiles and ranges of terms.
#pragma once

#include <chrono>

#include "cuda/product.cuh"

namespace f2i::cuda {

/// What a kernel gets. gridDim: tiles, planes times groups, ranges of terms.
template <class T> struct Work {
  Product<T> product;
  int64_t columns = 0; // tiles beside each other
  int64_t range = 0;   // terms of a range
  int64_t first = 0;   // of planes and groups, that of blockIdx.y = 0
  int across = 0;      // warps of a block beside each other, where the kernel has a choice
  T *parts = nullptr;  // where sums of ranges go, m x n after each other, plane after plane, range after range, or null

  /// Those of a plane (or group) and the block's range.
  __device__ __forceinline__ T *parts_of(int64_t plane) const {
    if (parts == nullptr) return nullptr;
    return parts + (blockIdx.z * product.planes * product.groups + plane) * product.m * product.n;
  }
};

/// Which tile a block has. Of a triangle, tiles are numbered by rows: (0,0), (1,0), (1,1), (2,0), ...
struct TileAt {
  int64_t row, column;
};
__device__ __forceinline__ TileAt tile_at(bool lower, int64_t tile, int64_t columns) {
  if (!lower) return {tile / columns, tile % columns};
  int64_t row = static_cast<int64_t>((sqrt(8.0 * static_cast<double>(tile) + 1) - 1) / 2);
  while (row * (row + 1) / 2 > tile) --row;
  while ((row + 1) * (row + 2) / 2 <= tile) ++row;
  return {row, tile - row * (row + 1) / 2};
}
inline int64_t tiles_of(bool lower, int64_t rows, int64_t columns) {
  return lower ? rows * (rows + 1) / 2 : rows * columns;
}

/// Infinities times small parts of zero are no numbers, and sums may overflow in parts where the whole does
/// not: such an entry is made again by the arithmetic of f32. Rare, and slow.
__device__ __attribute__((noinline)) inline float plain_sum(const Operand &a, const Operand &b, int64_t i, int64_t j,
                                                            int64_t first, int64_t last) {
  float sum = 0;
  for (int64_t p = first; p < last; ++p) sum = fused(a.at<float>(i, p), b.at<float>(j, p), sum);
  return sum;
}

/// A kernel and the tile that its blocks have.
template <class T> struct Tiling {
  void (*kernel)(Work<T>) = nullptr;
  int64_t rows = 0, columns = 0;
  size_t shared_bytes = 0;
  int across = 0;
  int threads = 256;
};

namespace simt {
template <class T> Tiling<T> tiling();
}
namespace mma {
/// How products of f32 are made of those of tensor cores.
enum class Kind {
  f32,         // 3xTF32
  tf32,        // operands of any type, rounded to TF32
  bf16_of_f32, // rounded to bf16 (f16)
  f16_of_f32,
  bf16, // both operands bf16 (f16), their terms neighbours in memory, aligned to 16 bytes
  f16
};
Tiling<float> tiling(Kind kind, const Product<float> &p, int64_t processors);
} // namespace mma

/// Enqueues what makes y of the sums of `splits` ranges of terms, in their order.
f2i_status join_ranges(Exec &ex, const char *name, const Product<float> &p, const float *parts, int64_t splits);

/// The product by mma.sync.
f2i_status product_by_mma(Exec &ex, const char *name, const Product<float> &p, mma::Kind kind);

namespace hopper {
/// Enqueues the product by wgmma; false, with nothing of y written, where it is not for that: another device, one on which
/// it has been found wrong (hopper_check.cu), too small, patches; or status says what failed. `kind`: how
/// mma::tiling() would make it.
bool product(Exec &ex, const char *name, const Product<float> &p, mma::Kind kind, f2i_status &status);

// What the check knows of gemm_hopper.cu.

/// A pair's rows and columns, the terms of a slice, the slices that are under way, the pairs that run at once, and the
/// terms from which a sum is cut into ranges.
struct Extents {
  int64_t rows, columns, terms, stages, at_once, range;
};
struct Path {
  Extents (*extents)(mma::Kind kind, int processors);
  /// Whether the device has it and it pays, or `always`: whether it can be made so.
  bool (*suits)(Exec &ex, const Product<float> &p, mma::Kind kind, bool always);
  /// As product(), whatever is known of it. alarm: a word of the host's that is set where a kernel gives up (patience.cuh).
  bool (*multiply)(Exec &ex, const char *name, const Product<float> &p, mma::Kind kind, uint32_t *alarm, f2i_status &status);
  /// How long the products of a check may take before the GPU counts as lost.
  std::chrono::milliseconds (*longest_check)();
};
const Path &by_wgmma(); // gemm_hopper.cu
/// The same, but in tests of the check, which have one that is wrong in many ways.
const Path &path();

/// F2I_CUDA_HOPPER: 0, 1 or nothing; another value is F2I_INVALID_ARGUMENT, and why.
f2i_status read_use(HopperUse &use, char *why, size_t size);
/// What is known of it on this GPU in this process, in words; "": nothing yet. Any thread.
void describe_check(int index, HopperUse use, char *text, size_t size);
/// A kernel has given up in the middle of work: it is not used on this GPU any more.
void gave_up(int index);
} // namespace hopper

/// The operand with its rows one after the other, `ld` entries each, of another type: bf16, f16, or f32 rounded
/// to TF32. What follows the k terms of a row is zero. small: what TF32 leaves out of a number, or null.
f2i_status pack(Exec &ex, const Operand &x, int64_t rows, int64_t k, f2i_dtype type, void *to, float *small, int64_t ld);

} // namespace f2i::cuda
