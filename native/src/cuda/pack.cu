// Operands of products in the form that a kernel wants: rows of neighbouring terms,
// aligned, in the type that tensor cores take. One pass at the speed of memory.
#include "cuda/gemm.cuh"
#include "cuda/mma.cuh"

namespace f2i::cuda {
namespace {

constexpr int threads = 256, side = 32; // tiles of 32 rows by 32 terms
struct Tile {
  float at[side][side + 1];
};

/// Tiles are read the way they lie in memory and written by rows.
template <class D> __global__ void __launch_bounds__(threads)
    pack_kernel(Operand x, int64_t rows, int64_t k, int64_t tiles_of_row, D *to, float *small, int64_t ld) {
  Tile &tile = shared_memory<Tile>();
  const int fast = static_cast<int>(threadIdx.x) % side, slow = static_cast<int>(threadIdx.x) / side;
  const int64_t row = static_cast<int64_t>(blockIdx.x) / tiles_of_row * side;
  const int64_t term = static_cast<int64_t>(blockIdx.x) % tiles_of_row * side;
#pragma unroll
  for (int u = 0; u < side; u += threads / side) {
    const int r = x.along() ? slow + u : fast, c = x.along() ? fast : slow + u;
    tile.at[r][c] = row + r < rows && term + c < k ? x.at<float>(row + r, term + c) : 0.0f;
  }
  __syncthreads();
#pragma unroll
  for (int u = 0; u < side; u += threads / side) {
    const int64_t i = row + slow + u, p = term + fast;
    if (i >= rows || p >= ld) continue;
    const float value = tile.at[slow + u][fast];
    if constexpr (sizeof(D) == 2) {
      to[i * ld + p] = narrow(value, D());
    } else {
      const float one[1] = {value};
      uint32_t big[1], rest[1];
      split(one, big, rest);
      to[i * ld + p] = float_of(big[0]);
      if (small != nullptr) small[i * ld + p] = float_of(rest[0]);
    }
  }
}

template <class D> f2i_status run(Exec &ex, const Operand &x, int64_t rows, int64_t k, void *to, float *small, int64_t ld) {
  const int64_t tiles_of_row = ceil_div(ld, side), tiles = tiles_of_row * ceil_div(rows, side);
  if (tiles > INT32_MAX) return ex.fail(F2I_UNSUPPORTED, "more tiles than a grid has");
  return F2I_LAUNCH(ex, (pack_kernel<D>), dim3(static_cast<unsigned>(tiles)), dim3(threads), sizeof(Tile), x, rows, k,
                    tiles_of_row, static_cast<D *>(to), small, ld);
}

} // namespace

f2i_status pack(Exec &ex, const Operand &x, int64_t rows, int64_t k, f2i_dtype type, void *to, float *small, int64_t ld) {
  switch (type) {
  case F2I_F16: return run<F16>(ex, x, rows, k, to, small, ld);
  case F2I_BF16: return run<Bf16>(ex, x, rows, k, to, small, ld);
  default: return run<float>(ex, x, rows, k, to, small, ld);
  }
}

} // namespace f2i::cuda
