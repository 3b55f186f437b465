// Which kernel a product runs by, and how its sum is split.
#include "cuda/gemm.cuh"
#include "cuda/repeated.hpp"

namespace f2i::cuda {
namespace {

/// Sums of `splits` ranges of terms become y, in the order of the ranges.
template <class T> struct JoinRanges {
  const T *parts; // [splits, planes and groups, m, n]
  int64_t splits, all, m, n, groups;
  Finish<T> finish;

  __device__ __forceinline__ T load(int64_t e) const {
    T sum = parts[e];
    for (int64_t s = 1; s < splits; ++s) sum += parts[s * all + e];
    return sum;
  }
};
template <class T> __global__ void __launch_bounds__(256) join_kernel(JoinRanges<T> ranges) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * 256;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; e < ranges.all; e += step) {
    const int64_t row = e / ranges.n, j = e - row * ranges.n, at = row / ranges.m, i = row - at * ranges.m;
    if (ranges.finish.skips(i, j)) continue;
    ranges.finish.of(at / ranges.groups, at % ranges.groups).store(i, j, ranges.load(e));
  }
}

template <class T> f2i_status join(Exec &ex, const char *name, const Product<T> &p, const T *parts, int64_t splits) {
  const int64_t all = p.planes * p.groups * p.m * p.n, blocks = ceil_div(all, 256);
  return launch(ex, name, join_kernel<T>, dim3(static_cast<unsigned>(blocks < 65536 ? blocks : 65536)), dim3(256), 0,
                JoinRanges<T>{parts, splits, all, p.m, p.n, p.groups, p.finish});
}

/// The product's tiles may leave most of the device idle where the sum is long: ranges of it are then
/// summed by blocks of their own, and joined in their order, so that the result is always the same.
int64_t splits_of(int64_t tiles, int64_t k, int64_t processors) {
  constexpr int64_t shortest = 256; // terms of a range
  const int64_t most = k / shortest, wanted = 2 * processors / (tiles > 0 ? tiles : 1);
  const int64_t splits = wanted < most ? wanted : most;
  return splits < 2 ? 1 : splits < 64 ? splits : 64;
}

template <class T> f2i_status run(Exec &ex, const char *name, const Product<T> &p, const Tiling<T> &tiling) {
  Work<T> work{p};
  work.across = tiling.across;
  work.columns = ceil_div(p.n, tiling.columns);
  const int64_t tiles = tiles_of(p.lower, ceil_div(p.m, tiling.rows), work.columns), planes = p.planes * p.groups;
  if (tiles > INT32_MAX) return ex.fail(F2I_UNSUPPORTED, "more tiles than a grid has");
  int64_t splits = splits_of(tiles * planes, p.k, device_of(ex).processors());
  if (splits > 1) {
    work.parts = ex.scratch_of<T>(splits * planes * p.m * p.n);
    // No other way without the room: results would depend on the ceiling.
    if (work.parts == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for sums of ranges of terms");
  }
  constexpr int64_t whole = 32; // every kernel's slices end where a range does
  work.range = ceil_div(ceil_div(p.k, splits), whole) * whole;
  splits = p.k > 0 ? ceil_div(p.k, work.range) : 1; // no empty range
  if (splits == 1) work.parts = nullptr;
  constexpr int64_t most_planes = 65535; // of a grid
  for (; work.first < planes; work.first += most_planes) {
    const int64_t some = planes - work.first < most_planes ? planes - work.first : most_planes;
    const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(some), static_cast<unsigned>(splits));
    F2I_TRY(launch(ex, name, tiling.kernel, grid, dim3(static_cast<unsigned>(tiling.threads)), tiling.shared_bytes, work));
  }
  return work.parts != nullptr ? join(ex, name, p, work.parts, splits) : F2I_OK;
}

/// Below this many rows or columns a product is read, not computed: operands are taken as they lie.
constexpr int64_t few = 64;

bool chunkwise(const Operand &x, f2i_dtype type) {
  return x.dtype == type && x.along() && reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.by_row % 8 == 0 &&
         x.by_plane % 8 == 0 && x.by_group % 8 == 0;
}

mma::Kind kind_of(const Product<float> &p) {
  using mma::Kind;
  if (p.a.half() && p.b.half()) { // two types: products of TF32, which both are
    // Of several planes they are multiplied as they lie, or not at all.
    const bool ready = p.planes * p.groups == 1 || (chunkwise(p.a, p.a.dtype) && chunkwise(p.b, p.b.dtype));
    const bool packs = p.a.dtype == p.b.dtype && p.m > few && p.n > few && ready;
    return !packs ? Kind::f32 : p.a.dtype == F2I_BF16 ? Kind::bf16 : Kind::f16;
  }
  // Beside a half type, f32 is rounded to that one.
  const f2i_dtype half = p.a.half() ? p.a.dtype : p.b.half() ? p.b.dtype : F2I_F32;
  switch (p.precision) {
  case F2I_PRECISION_TF32: return Kind::tf32;
  case F2I_PRECISION_BF16: return half == F2I_F16 ? Kind::f16_of_f32 : Kind::bf16_of_f32;
  case F2I_PRECISION_F16: return half == F2I_BF16 ? Kind::bf16_of_f32 : Kind::f16_of_f32;
  default: return Kind::f32;
  }
}

/// Makes an operand one of halves whose rows begin at multiples of 16 bytes.
f2i_status as_halves(Exec &ex, Operand &x, int64_t rows, int64_t k, f2i_dtype type) {
  if (chunkwise(x, type)) return F2I_OK;
  const int64_t ld = ceil_div(k, 8) * 8;
  void *const packed = ex.scratch_of<uint16_t>(rows * ld);
  if (packed == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for an operand in half precision");
  F2I_TRY(pack(ex, x, rows, k, type, packed, nullptr, ld));
  x = operand(View{packed, rows, k, ld, type}, true);
  return F2I_OK;
}

f2i_status on_tensor_cores(Exec &ex, const char *name, const Product<float> &p) {
  const mma::Kind kind = kind_of(p);
  f2i_status on_hopper = F2I_OK;
  if (hopper::product(ex, name, p, kind, on_hopper)) return on_hopper;
  F2I_TRY(on_hopper);
  return product_by_mma(ex, name, p, kind);
}

/// Planes that fill the device each: products of their own, for which there are faster kernels.
template <class T> bool each_alone(Exec &ex, const Product<T> &p) {
  if (p.planes == 1 || p.groups > 1 || p.a.is_patches || p.b.is_patches) return false;
  return ceil_div(p.m, 128) * ceil_div(p.n, 128) >= device_of(ex).processors();
}
template <class T> f2i_status one_by_one(Exec &ex, const char *name, const Product<T> &p) {
  Repeated planes(ex); // the memory of one serves all
  Product<T> one = p;
  one.planes = 1;
  for (int64_t plane = 0; plane < p.planes; ++plane) {
    one.a = p.a.of(plane, 0), one.b = p.b.of(plane, 0), one.finish = p.finish.of(plane, 0);
    planes.again();
    F2I_TRY(product(planes, name, one));
  }
  return F2I_OK;
}

} // namespace

f2i_status product_by_mma(Exec &ex, const char *name, const Product<float> &p, mma::Kind kind) {
  using mma::Kind;
  Product<float> packed = p;
  if (kind == Kind::bf16 || kind == Kind::f16) {
    const f2i_dtype type = kind == Kind::bf16 ? F2I_BF16 : F2I_F16;
    F2I_TRY(as_halves(ex, packed.a, p.m, p.k, type));
    F2I_TRY(as_halves(ex, packed.b, p.n, p.k, type));
  }
  return run(ex, name, packed, mma::tiling(kind, packed, device_of(ex).processors()));
}

f2i_status join_ranges(Exec &ex, const char *name, const Product<float> &p, const float *parts, int64_t splits) {
  return join(ex, name, p, parts, splits);
}

f2i_status product(Exec &ex, const char *name, const Product<float> &p) {
  if (p.m <= 0 || p.n <= 0 || p.planes <= 0) return F2I_OK;
  if (each_alone(ex, p)) return one_by_one(ex, name, p);
  return device_of(ex).ampere() ? on_tensor_cores(ex, name, p) : run(ex, name, p, simt::tiling<float>());
}

f2i_status product(Exec &ex, const char *name, const Product<double> &p) {
  if (p.m <= 0 || p.n <= 0 || p.planes <= 0) return F2I_OK;
  if (each_alone(ex, p)) return one_by_one(ex, name, p);
  return run(ex, name, p, simt::tiling<double>());
}

} // namespace f2i::cuda
