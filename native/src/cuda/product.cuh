// Which kernel a product runs by, and how its sum is split.
#pragma once

#include "cuda/gemm_mma.cuh"
#include "cuda/gemm_simt.cuh"

namespace f2i::cuda {

/// The product's tiles may leave most of the device idle where the sum is long: ranges of it are then
/// summed by blocks of their own, and joined in their order, so that the result is always the same.
inline int64_t splits_of(int64_t tiles, int64_t k, int64_t processors) {
  constexpr int64_t shortest = 256; // terms of a range
  const int64_t most = k / shortest, wanted = 2 * processors / (tiles > 0 ? tiles : 1);
  const int64_t splits = wanted < most ? wanted : most;
  return splits < 2 ? 1 : splits < 64 ? splits : 64;
}

template <class T, class A, class B> f2i_status product(Exec &ex, const char *name, const Product<T, A, B> &p) {
  if (p.m <= 0 || p.n <= 0 || p.planes <= 0) return F2I_OK;
  CudaDevice &device = device_of(ex);
  using Kernel = void (*)(Product<T, A, B>, int64_t, int64_t, T *);
  Kernel kernel = simt::product_kernel<T, A, B>;
  int64_t side = simt::side<T>;
  size_t shared = sizeof(simt::Slices<T>);
  if constexpr (std::is_same_v<T, float>) {
    if (device.ampere()) {
      kernel = mma::kernel_of(p);
      side = mma::side;
      shared = sizeof(mma::Stages<A::along, B::along>);
    }
  }
  const int64_t columns = ceil_div(p.n, side), tiles = tiles_of(p.lower, ceil_div(p.m, side), columns);
  if (tiles > INT32_MAX || p.planes > 65535) return ex.fail(F2I_UNSUPPORTED, "more tiles than a grid has");
  int64_t splits = p.planes > 1 ? 1 : splits_of(tiles, p.k, device.processors());
  T *parts = nullptr;
  if (splits > 1) {
    parts = ex.scratch_of<T>(splits * p.m * p.n);
    if (parts == nullptr) splits = 1; // slower, and without the room
  }
  const int64_t range = ceil_div(ceil_div(p.k, splits), simt::depth) * simt::depth;
  splits = p.k > 0 ? ceil_div(p.k, range) : 1; // no empty range
  if (splits == 1) parts = nullptr;
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(p.planes), static_cast<unsigned>(splits));
  F2I_TRY(launch(ex, name, kernel, grid, dim3(256), shared, p, columns, range, parts));
  if (parts == nullptr) return F2I_OK;
  const int64_t blocks = ceil_div(p.m * p.n, 256);
  return launch(ex, name, join_splits_kernel<T>, dim3(static_cast<unsigned>(blocks < 65536 ? blocks : 65536)), dim3(256), 0,
                parts, splits, p.m, p.n, p.lower, p.finish);
}

/// Calls f with an operand of the matrix whose rows are terms (across), or are rows.
template <class S, class F> f2i_status with_operand(const View &x, bool across, F &&f) {
  if (across) return f(Operand<S, false>{x.as<const S>(), x.ld, 0});
  return f(Operand<S, true>{x.as<const S>(), x.ld, 0});
}

} // namespace f2i::cuda
